"""An agent who leaves around the dial: nobody is dialled for whom nobody is there, and the place is kept."""

from dataclasses import replace
from typing import TYPE_CHECKING

from huntgroup_session.core.attendance import AGENTS_GONE_MAX
from huntgroup_session.core.callbacks import WINDOW_MS
from huntgroup_session.core.messages import (
    AgentLeft,
    CallbackEnded,
    CallbackScheduled,
    PassTime,
    Refused,
)
from huntgroup_session.core.values import (
    AgentId,
    CallbackEndReason,
    DialOutcome,
    OfferId,
)

from .callback_story import BACK, BUSY, FREED, GRACE, JOINED, LEFT, OFFERED, TAKEN, names

if TYPE_CHECKING:
    from services.session.tests.conftest import Story


def test_an_agent_who_leaves_while_the_customer_is_dialled_is_replaced_at_once(
    story: "Story",
) -> None:
    left, freed, scheduled = story.dialing().given(LEFT, 12_000)
    assert left == AgentLeft(at_ms=12_000, agent_id=GRACE)
    assert freed == FREED
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 12_000
    late = story.when(replace(BUSY, outcome=DialOutcome.ANSWERED), 12_000)
    assert isinstance(late, Refused), "whoever answers now would talk to nobody"
    assert story.given(PassTime(), 12_000) == (replace(BACK, at_ms=12_000),)
    assert story.when(LEFT, 12_001) == ()


def test_a_dial_whose_agent_was_lost_is_none_of_those_in_vain(story: "Story") -> None:
    story.dialing().given(LEFT, 12_000)
    story.given(JOINED, 12_500)
    for dial, outcome in ((2, "CallbackScheduled"), (3, "CallbackEnded")):
        story.given(PassTime(), dial * 100_000 - 1)
        story.given(replace(TAKEN, offer_id=OfferId(f"ada.{dial}")), dial * 100_000)
        busy = story.given(replace(BUSY, dial=dial), dial * 100_000 + 1)
        assert names(busy) == ["CallbackDialFailed", "ContactConnectionFailed", outcome]


def test_an_agent_who_leaves_when_it_is_too_late_leaves_nobody_to_call(story: "Story") -> None:
    ended = story.dialing().given(LEFT, 6_000 + WINDOW_MS)[-1]
    assert isinstance(ended, CallbackEnded)
    assert ended.reason is CallbackEndReason.EXPIRED


def test_whom_an_agent_talks_to_stays_when_they_leave(story: "Story") -> None:
    story.dialing().given(replace(BUSY, outcome=DialOutcome.ANSWERED), 10_000)
    assert names(story.when(LEFT, 12_000)) == ["AgentLeft"]
    assert names(story.when(replace(LEFT, agent_id=AgentId("alan")), 12_000)) == ["AgentLeft"]


def test_an_agent_who_left_before_their_yes_was_read_has_nobody_dialled(story: "Story") -> None:
    story.callback_offering()
    assert names(story.given(LEFT, 11_000)) == ["AgentLeft"]
    freed, scheduled = story.given(TAKEN, 12_000)
    assert freed == FREED
    assert isinstance(scheduled, CallbackScheduled)
    assert scheduled.resume_at_ms == 12_000
    assert story.given(PassTime(), 12_000) == (replace(BACK, at_ms=12_000),)


def test_an_agent_who_left_before_the_offer_was_read_has_nobody_dialled(story: "Story") -> None:
    story.callback_queued().given(LEFT, 4_000)
    story.given(OFFERED, 5_000)
    assert names(story.given(TAKEN, 12_000)) == ["ContactConnectionFailed", "CallbackScheduled"]
    callback = story.contact().callback
    assert callback is not None
    assert callback.dials == 0


def test_a_dial_that_was_not_begun_is_none_of_those_in_vain(story: "Story") -> None:
    story.callback_offering().given(LEFT, 11_000)
    story.given(TAKEN, 12_000)
    story.given(JOINED, 12_500)
    for dial, outcome in ((1, "CallbackScheduled"), (2, "CallbackEnded")):
        story.given(PassTime(), dial * 100_000 - 1)
        story.given(replace(TAKEN, offer_id=OfferId(f"ada.{dial + 1}")), dial * 100_000)
        busy = story.given(replace(BUSY, dial=dial), dial * 100_000 + 1)
        assert names(busy) == ["CallbackDialFailed", "ContactConnectionFailed", outcome]


def test_an_agent_who_has_come_back_is_there_for_the_customer(story: "Story") -> None:
    story.callback_offering().given(LEFT, 7_000)
    assert names(story.given(JOINED, 8_000)) == ["AgentJoined"]
    assert names(story.given(TAKEN, 9_000)) == ["CallbackDialRequested"]


def test_who_comes_and_goes_is_noted_once(story: "Story") -> None:
    assert story.when(JOINED, 1_000) == (), "who never left is there"
    story.given(LEFT, 2_000)
    assert story.when(LEFT, 2_001) == ()


def test_so_many_who_left_are_remembered_the_last(story: "Story") -> None:
    for number in range(AGENTS_GONE_MAX + 1):
        left = AgentLeft(at_ms=1, agent_id=AgentId(f"a{number}"))
        story.state = story.core.evolve(story.state, left)
    assert len(story.state.gone) == AGENTS_GONE_MAX
    assert AgentId("a0") not in story.state.gone
