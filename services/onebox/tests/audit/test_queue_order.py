"""Invariant 1, whose turn it is: what the check keeps of a routing that goes on for ever."""

from huntgroup_onebox.audit.feed import Feed
from huntgroup_onebox.audit.queue_order import QueueOrder
from huntgroup_onebox.audit.report import Findings

from .story import dequeued, enqueued, offered
from .written_log import DOMAIN, WrittenLog, entries_of


async def test_what_nobody_asks_for_any_more_is_forgotten_and_who_waits_keeps_the_turn() -> None:
    """Each caller asks for something else, and all have left but two who ask for the same."""
    log, findings = WrittenLog(), Findings()
    order = QueueOrder(findings)
    feed = Feed(findings, [order], "")
    for number in range(50):
        asks = enqueued(f"c{number}", number)
        asks.own_requirement = f"language{number} = 1"
        log.tell("routing", asks, dequeued(f"c{number}", number))
    log.tell("routing", enqueued("ada", 60), enqueued("ben", 61))
    async for entry in entries_of(log, "routing"):
        feed.take(entry)
    order.forget()
    assert len(order._domains[DOMAIN].lines) == 1
    assert not findings.violations
    position = log.tell("routing", offered("ben", "grace", 62, since=61))
    async for entry in entries_of(log, "routing"):
        if entry.place.position == position:
            feed.take(entry)
    [violation] = findings.violations
    assert "out of turn: contact ada stands before it" in violation.why
