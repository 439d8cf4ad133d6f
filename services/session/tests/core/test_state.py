"""What is known of a domain is written and read without loss, and does not grow for ever."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from huntgroup_session.core.messages import (
    HangUpContact,
    ObserveOfferAccepted,
    PassTime,
    StartContact,
)
from huntgroup_session.core.state import ENDED_MAX, dump, load
from huntgroup_session.core.values import AgentId, ContactId, OfferId, QueueId

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

ADA, GRACE = ContactId("ada"), AgentId("grace")
PHASES = (
    *("initiated", "queued", "offering", "connected"),
    *("on_hold", "wrapping", "completed", "abandoned"),
    *("dialing", "scheduled", "lapsed"),
)


@pytest.mark.parametrize("phase", PHASES)
def test_a_contact_in_any_phase_is_read_as_it_was_written(story: "Story", phase: str) -> None:
    getattr(story, phase)()
    again = load("acme/emea", dump(story.state))
    assert again == story.state
    assert again.find(ADA) == story.contact()


def test_those_who_wait_are_counted_after_reading(story: "Story") -> None:
    story.offering().queued(ContactId("ben"))
    assert load("acme/emea", dump(story.state)).queues[QueueId("sales")].waiting == 2


def test_the_order_in_which_contacts_are_due_survives(story: "Story") -> None:
    for name in ("zoe", "ada", "max"):
        contact_id = ContactId(name)
        story.queued(contact_id)
        offer = OfferId(f"{name}.1")
        accepted = ObserveOfferAccepted(contact_id=contact_id, offer_id=offer, agent_id=GRACE)
        story.given(accepted, 3_000)
        story.given(HangUpContact(contact_id=contact_id), 4_000)
    again = load("acme/emea", dump(story.state))
    assert list(again.wrapping) == ["zoe", "ada", "max"]
    late = 10**12
    assert story.core.decide(again, PassTime(), late) == story.when(PassTime(), late)


def test_states_that_differ_only_in_history_are_written_alike(story: "Story") -> None:
    other = type(story)()
    for name in ("ada", "ben"):
        story.queued(ContactId(name))
    for name in ("ben", "ada"):
        other.queued(ContactId(name))
    assert dump(story.state) == dump(other.state)


@pytest.mark.parametrize("damaged", [b"", b"\x93", msgspec.msgpack.encode([[], [1], [], []])])
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        load("acme/emea", damaged)


def test_a_contact_that_waits_in_no_queue_is_refused(story: "Story") -> None:
    stored = msgspec.msgpack.decode(dump(story.queued().state))
    stored[0] = []
    with pytest.raises(ValueError, match="contact ada waits in a queue that is not there"):
        load("acme/emea", msgspec.msgpack.encode(stored))


def test_only_the_last_contacts_to_end_are_remembered(story: "Story") -> None:
    core, state = story.core, story.state
    ids = [ContactId(f"caller-{number:05}") for number in range(ENDED_MAX + 2)]
    (template,) = story.initiated().events
    for contact_id in ids:
        start = StartContact(
            **{
                name: getattr(template, name)
                for name in StartContact.__dataclass_fields__
                if name != "contact_id"
            },
            contact_id=contact_id,
        )
        for command in (start, HangUpContact(contact_id=contact_id)):
            for event in core.decide(state, command, 1_000):  # type: ignore[union-attr]
                core.evolve(state, event)
    assert len(state.ended) == ENDED_MAX
    assert state.find(ids[1]) is None
    assert state.find(ids[2]) is not None
    assert list(state.live) == [ADA]
