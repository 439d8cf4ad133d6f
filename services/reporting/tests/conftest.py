"""Tells days to the core: every step is decided, checked for side effects and invariants, and folded."""

from dataclasses import dataclass, field

import pytest

from huntgroup_reporting.core import ReportingCore
from huntgroup_reporting.core.invariants import violations
from huntgroup_reporting.core.messages import (
    Command,
    Event,
    ObserveAgentPresence,
    ObserveAgentSlot,
    ObserveContactDisconnected,
    ObserveContactEnqueued,
    ObserveContactMoved,
    ObserveContactQueued,
    ObserveOfferEnded,
    ObserveQueueConfigured,
    ObserveWaitEnded,
    ObserveWrapUpFinished,
    PassTime,
)
from huntgroup_reporting.core.state import AgentTimes, QueueCounts, State
from huntgroup_reporting.core.values import (
    AgentId,
    ContactId,
    OfferId,
    OfferOutcome,
    Presence,
    QueueId,
    SlotPhase,
    WaitOutcome,
)

QUARTER_MS = 900_000
DAY_MS = 86_400_000
MONDAY_MS = 20_000 * DAY_MS
"""Some day's midnight; the stories count from it."""

SALES = QueueId("sales")


@dataclass
class Day:
    """One domain, from one midnight on; times in the calls are milliseconds since then."""

    core: ReportingCore = field(default_factory=lambda: ReportingCore(QUARTER_MS))
    state: State = field(default_factory=lambda: ReportingCore(QUARTER_MS).initial("acme/emea"))
    events: list[Event] = field(default_factory=list)

    def tell(self, command: Command, at_ms: int) -> tuple[Event, ...]:
        """Decide at `at_ms` of the day, make sure that deciding changed nothing, and let it come true."""
        before = self.core.dump(self.state)
        events = self.core.decide(self.state, command, MONDAY_MS + at_ms)
        assert self.core.dump(self.state) == before
        for event in events:
            assert event.at_ms == MONDAY_MS + at_ms
            self.state = self.core.evolve(self.state, event)
        assert list(violations(self.state)) == []
        self.events += events
        return events

    def pass_time(self, at_ms: int) -> tuple[Event, ...]:
        """Let time pass to `at_ms`, as often as it is due, as the journal does."""
        events: list[Event] = []
        deadline_ms = self.core.next_deadline(self.state)
        while deadline_ms is not None and deadline_ms <= MONDAY_MS + at_ms:
            decided = self.tell(PassTime(), at_ms)
            assert decided, "a deadline has come, and nothing follows from it"
            events += decided
            deadline_ms = self.core.next_deadline(self.state)
        return tuple(events)

    def deadline(self) -> int | None:
        """Return the next deadline, as a time of the day."""
        deadline_ms = self.core.next_deadline(self.state)
        return None if deadline_ms is None else deadline_ms - MONDAY_MS

    def queue_row(self, start_ms: int, queue_id: QueueId = SALES) -> QueueCounts:
        """Return a row of the ledger."""
        return self.state.intervals[MONDAY_MS + start_ms].queues[queue_id]

    def agent_row(self, start_ms: int) -> AgentTimes:
        """Return the agents' time in an interval."""
        return self.state.intervals[MONDAY_MS + start_ms].agents

    def numbers(self) -> list[object]:
        """Return the whole ledger in an order that does not depend on how it came about."""
        return [
            (start, sorted(interval.queues.items()), interval.agents)
            for start, interval in sorted(self.state.intervals.items())
            if interval.queues or interval.agents != AgentTimes()
        ]


class Facts:
    """The facts of other services, as the core is told them; times are milliseconds of the day."""

    MONDAY_MS = MONDAY_MS

    @staticmethod
    def day() -> Day:
        """Return a domain in which nothing has happened."""
        return Day()

    @staticmethod
    def configured(threshold_ms: int = 20_000, queue_id: QueueId = SALES) -> Command:
        return ObserveQueueConfigured(queue_id=queue_id, service_level_threshold_ms=threshold_ms)

    @staticmethod
    def queued(contact_id: str, at_ms: int, queue_id: QueueId = SALES) -> Command:
        return ObserveContactQueued(
            contact_id=ContactId(contact_id), queue_id=queue_id, enqueued_at_ms=MONDAY_MS + at_ms
        )

    @staticmethod
    def enqueued(contact_id: str, queue_id: QueueId = SALES) -> Command:
        return ObserveContactEnqueued(contact_id=ContactId(contact_id), queue_id=queue_id)

    @staticmethod
    def answered(contact_id: str, at_ms: int, wait_ms: int, queue_id: QueueId = SALES) -> Command:
        return Facts._wait_ended(contact_id, WaitOutcome.ANSWERED, at_ms, wait_ms, queue_id)

    @staticmethod
    def abandoned(contact_id: str, at_ms: int, wait_ms: int, queue_id: QueueId = SALES) -> Command:
        return Facts._wait_ended(contact_id, WaitOutcome.ABANDONED, at_ms, wait_ms, queue_id)

    @staticmethod
    def _wait_ended(
        contact_id: str, outcome: WaitOutcome, at_ms: int, wait_ms: int, queue_id: QueueId
    ) -> Command:
        return ObserveWaitEnded(
            contact_id=ContactId(contact_id),
            queue_id=queue_id,
            outcome=outcome,
            ended_at_ms=MONDAY_MS + at_ms,
            wait_ms=wait_ms,
        )

    @staticmethod
    def disconnected(contact_id: str, talk_ms: int, hold_ms: int = 0) -> Command:
        return ObserveContactDisconnected(
            offer_id=OfferId(f"{contact_id}.1"),
            contact_id=ContactId(contact_id),
            queue_id=SALES,
            talk_ms=talk_ms,
            hold_ms=hold_ms,
        )

    @staticmethod
    def moved(contact_id: str, at_ms: int) -> Command:
        """Leave `sales` for `support`, having been queued at the beginning of Monday."""
        return ObserveContactMoved(
            contact_id=ContactId(contact_id),
            from_queue_id=SALES,
            moved_at_ms=MONDAY_MS + at_ms,
            wait_ms=at_ms,
            next_contact_id=ContactId(f"{contact_id}~1"),
            queue_id=QueueId("support"),
            enqueued_at_ms=MONDAY_MS,
        )

    @staticmethod
    def wrapped_up(contact_id: str, at_ms: int, wrap_up_ms: int) -> Command:
        return ObserveWrapUpFinished(
            offer_id=OfferId(f"{contact_id}.1"),
            ended_at_ms=MONDAY_MS + at_ms,
            wrap_up_ms=wrap_up_ms,
        )

    @staticmethod
    def offer_ended(offer_id: str, outcome: OfferOutcome, at_ms: int, ring_ms: int = 0) -> Command:
        return ObserveOfferEnded(
            offer_id=OfferId(offer_id),
            agent_id=AgentId("grace"),
            queue_id=SALES,
            outcome=outcome,
            ended_at_ms=MONDAY_MS + at_ms,
            ring_ms=ring_ms,
        )

    @staticmethod
    def presence(agent_id: str, at_ms: int, what: Presence) -> Command:
        return ObserveAgentPresence(
            agent_id=AgentId(agent_id), since_ms=MONDAY_MS + at_ms, presence=what
        )

    @staticmethod
    def slot(agent_id: str, at_ms: int, offer_id: str, phase: SlotPhase) -> Command:
        ringing = phase is SlotPhase.RINGING
        return ObserveAgentSlot(
            agent_id=AgentId(agent_id),
            since_ms=MONDAY_MS + at_ms,
            offer_id=OfferId(offer_id),
            queue_id=SALES if ringing else QueueId(""),
            phase=phase,
        )


@pytest.fixture(scope="session")
def say() -> type[Facts]:
    """Return the facts, and days to tell them to."""
    return Facts


@pytest.fixture
def day() -> Day:
    """Return a domain in which nothing has happened."""
    return Day()
