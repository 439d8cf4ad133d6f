"""The live view: who waits, rings and talks now, and today's numbers."""

from typing import TYPE_CHECKING

from huntgroup_reporting.core.projections import LiveQueue, follow, live_domain
from huntgroup_reporting.core.values import Presence, QueueId, SlotPhase

if TYPE_CHECKING:
    from services.reporting.tests.conftest import Day, Facts

DAY_MS = 86_400_000


def live_queue(day: "Day", at_ms: int) -> LiveQueue:
    (queue,) = live_domain(day.state, at_ms).queues
    return queue


def test_the_view_follows_a_contact(day: "Day", say: "type[Facts]") -> None:
    day.tell(say.configured(), 0)
    for contact_id, at_ms in (("ada", 1_000), ("ben", 2_000)):
        day.tell(say.queued(contact_id, at_ms), at_ms)
        day.tell(say.enqueued(contact_id), at_ms)
    queue = live_queue(day, say.MONDAY_MS)
    assert (queue.waiting, queue.waiting_since_ms) == (2, say.MONDAY_MS + 1_000)

    day.tell(say.presence("grace", 0, Presence.READY), 2_000)
    day.tell(say.slot("grace", 3_000, "ada.1", SlotPhase.RINGING), 3_000)
    queue = live_queue(day, say.MONDAY_MS)
    assert (queue.waiting, queue.ringing, queue.talking) == (2, 1, 0)
    assert live_domain(day.state, 0).agents == (("RESERVED", 1),)

    day.tell(say.slot("grace", 5_000, "ada.1", SlotPhase.TALKING), 5_000)
    day.tell(say.answered("ada", 5_000, 4_000), 5_000)
    queue = live_queue(day, say.MONDAY_MS)
    assert (queue.waiting, queue.ringing, queue.talking) == (1, 0, 1)
    assert queue.waiting_since_ms == say.MONDAY_MS + 2_000
    assert live_domain(day.state, 0).agents == (("BUSY", 1),)

    day.tell(say.slot("grace", 9_000, "ada.1", SlotPhase.WRAPPING_UP), 9_000)
    day.tell(say.abandoned("ben", 9_000, 7_000), 9_000)
    assert live_queue(day, say.MONDAY_MS) == LiveQueue(
        queue_id=QueueId("sales"),
        waiting=0,
        ringing=0,
        talking=0,
        waiting_since_ms=0,
        offered=2,
        answered=1,
        answered_within_threshold=1,
        abandoned=1,
        abandoned_within_threshold=1,
        answered_wait_ms=4_000,
    )
    assert live_domain(day.state, 0).agents == (("WORKING_AFTER_CALL", 1),)


def test_a_new_day_begins_with_zeros_and_late_outcomes_of_yesterday_stay_yesterdays(
    day: "Day", say: "type[Facts]"
) -> None:
    for fact in (say.configured(), say.queued("ada", DAY_MS - 1_000), say.enqueued("ada")):
        day.tell(fact, DAY_MS - 1_000)
    assert live_queue(day, say.MONDAY_MS + DAY_MS - 1).offered == 1
    queue = live_queue(day, say.MONDAY_MS + DAY_MS)
    assert (queue.offered, queue.waiting) == (0, 1)
    day.tell(say.queued("ben", DAY_MS + 1), DAY_MS + 1)
    day.tell(say.answered("ada", DAY_MS + 2, 1_002), DAY_MS + 2)
    queue = live_queue(day, say.MONDAY_MS + DAY_MS + 2)
    assert (queue.offered, queue.answered, queue.waiting) == (1, 0, 1)
    assert day.queue_row(DAY_MS - 900_000).answered == 1


def test_agents_are_shown_in_the_states_of_agent_state(day: "Day", say: "type[Facts]") -> None:
    day.tell(say.presence("idle", 0, Presence.READY), 0)
    day.tell(say.presence("pause", 0, Presence.NOT_READY), 0)
    day.tell(say.presence("rona", 0, Presence.NOT_RESPONDING), 0)
    day.tell(say.slot("gone", 0, "ada.1", SlotPhase.TALKING), 0)
    assert live_domain(day.state, 0).agents == (
        ("OFFLINE", 1),
        ("READY", 1),
        ("NOT_READY", 1),
        ("NOT_RESPONDING", 1),
    )


def test_following_without_a_journal_comes_to_the_same_state(
    day: "Day", say: "type[Facts]"
) -> None:
    alone = say.day().state
    for at_ms, fact in enumerate((say.configured(), say.queued("ada", 0), say.enqueued("ada"))):
        day.tell(fact, at_ms)
        alone = follow(alone, fact, say.MONDAY_MS + at_ms)
    assert day.core.dump(alone) == day.core.dump(day.state)
