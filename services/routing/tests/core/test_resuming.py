"""Who was lost while waiting has the old place when they are back soon: once for each loss."""

from typing import TYPE_CHECKING, Any

import pytest

from huntgroup_routing.core.messages import ContactEnqueued, ObserveContactAbandoned, OfferCreated
from huntgroup_routing.core.resuming import LOST_MAX, RESUME_WINDOW_MAX_MS
from huntgroup_routing.core.state import Lost
from huntgroup_routing.core.values import ContactId, DequeueReason, QueueId, RoutingStep, Skill

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

SALES = QueueId("sales")
WINDOW_MS = 60_000


def centre(floor: "Floor", **said: Any) -> None:
    floor.queue("sales", resume_window_ms=WINDOW_MS, **said)


def came(floor: "Floor", contact_id: str, **said: Any) -> ContactEnqueued:
    enqueued = floor.contact(contact_id, **said)[0]
    assert isinstance(enqueued, ContactEnqueued)
    return enqueued


def test_who_calls_again_soon_stands_where_they_stood(floor: "Floor") -> None:
    centre(floor)
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.contact("ben", at_ms=2_000, customer="+42")
    floor.abandon("ada", at_ms=9_000)
    again = came(floor, "ada-again", at_ms=9_000 + WINDOW_MS, customer="+41")
    assert (again.resumes, again.enqueued_at_ms) == ("ada", 1_000)
    assert floor.offered(floor.agent("grace", at_ms=90_000)) == [("ada-again", "grace")]


@pytest.mark.parametrize(
    "differs",
    [
        {"at_ms": 9_001 + WINDOW_MS},
        {"customer": "+42"},
        {"customer": ""},
        {"queue_id": "night"},
    ],
)
def test_who_comes_too_late_or_elsewhere_or_is_somebody_else_waits_from_the_beginning(
    floor: "Floor", differs: dict[str, Any]
) -> None:
    centre(floor)
    floor.queue("night", resume_window_ms=WINDOW_MS)
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.abandon("ada", at_ms=9_000)
    said = {"at_ms": 10_000, "customer": "+41", **differs}
    again = came(floor, "ada-again", **said)
    assert (again.resumes, again.enqueued_at_ms) == ("", said["at_ms"])


def test_a_loss_is_made_good_once_and_the_next_one_again(floor: "Floor") -> None:
    centre(floor)
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.abandon("ada", at_ms=2_000)
    floor.contact("ada-2", at_ms=3_000, customer="+41")
    assert came(floor, "ada-3", at_ms=4_000, customer="+41").resumes == ""
    floor.abandon("ada-2", at_ms=5_000)
    third = came(floor, "ada-4", at_ms=6_000, customer="+41")
    assert (third.resumes, third.enqueued_at_ms) == ("ada-2", 1_000)


def test_a_queue_without_a_window_remembers_nobody(floor: "Floor") -> None:
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.abandon("ada", at_ms=2_000)
    assert not floor.state.lost
    centre(floor)
    floor.contact("ben", at_ms=3_000)
    floor.abandon("ben", at_ms=4_000)
    assert not floor.state.lost, "nobody knows who that was"


def test_only_who_left_was_lost(floor: "Floor") -> None:
    centre(floor)
    floor.agent("grace")
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.accept("ada.1", "grace", at_ms=1_500)
    floor.contact("ben", at_ms=2_000, customer="+42")
    over = ObserveContactAbandoned(contact_id=ContactId("ben"), reason=DequeueReason.CALLBACK_ENDED)
    floor.tell(over, 3_000)
    assert not floor.state.lost


def test_who_hangs_up_while_it_rings_was_lost_too_and_comes_to_the_step_of_its_age(
    floor: "Floor",
) -> None:
    step = RoutingStep(after_ms=30_000, required_skills=(Skill("anything"),))
    centre(floor, steps=(step,))
    floor.agent("grace", "anything")
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.abandon("ada", at_ms=2_000)
    floor.release("ada.1", "grace", at_ms=2_100)
    events = floor.contact("ada-again", at_ms=40_000, customer="+41")
    offer = events[-1]
    assert isinstance(offer, OfferCreated)
    assert offer.enqueued_at_ms == 1_000
    assert floor.state.contacts[ContactId("ada-again")].step == 1


def test_the_lost_are_kept_in_a_dump_and_so_many_and_so_long_only(floor: "Floor") -> None:
    centre(floor)
    floor.contact("ada", at_ms=1_000, customer="+41")
    floor.abandon("ada", at_ms=2_000)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.state.lost == floor.state.lost
    others = {
        (SALES, f"key-{number}"): Lost(
            contact_id=ContactId("other"), enqueued_at_ms=1, left_at_ms=2_500
        )
        for number in range(LOST_MAX - 1)
    }
    floor.state.lost.update(others)
    floor.contact("ben", at_ms=3_000, customer="+42")
    floor.abandon("ben", at_ms=4_000)
    assert len(floor.state.lost) == LOST_MAX
    assert (SALES, "+41") not in floor.state.lost, "the longest ago is forgotten"
    floor.contact("cai", at_ms=5_000, customer="+43")
    floor.abandon("cai", at_ms=2_501 + RESUME_WINDOW_MAX_MS)
    assert [key for _, key in floor.state.lost] == ["+42", "+43"]
