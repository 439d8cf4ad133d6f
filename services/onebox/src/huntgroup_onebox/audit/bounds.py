"""Invariant 10, as far as a log tells it: sizes, queues, what is not published, the states, and who lags."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_agent_state.core import invariants as of_agent_state
from huntgroup_eventlog.journal.decider import BATCH_BYTES_MAX
from huntgroup_eventlog.journal.replica import Limits
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.intake import Clock, Intake
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place
from huntgroup_recording.core import invariants as of_recording
from huntgroup_reporting.core import invariants as of_reporting
from huntgroup_routing.core import invariants as of_routing

INVARIANT: Final = 10
UNPUBLISHED_MAX: Final = Limits().unrelayed_batches_max + Limits().inputs_waiting_max
"""Batches that are not published: beyond the first bound no command is taken in, but those that wait are decided."""
LAG_REMEMBERED_MAX: Final = 100_000
"""So many batches that somebody has not taken in are remembered for each topic, the last."""


def _told(check: Callable[[Any], object]) -> Callable[[Any], list[str]]:
    """Return what a core's `check` finds, however it says so."""

    def faults(state: Any) -> list[str]:
        try:
            found = check(state)
        except AssertionError as error:
            return [str(error)]
        return list(found) if isinstance(found, Iterable) else []

    return faults


STATE_FAULTS: Final[Mapping[str, Callable[[Any], list[str]]]] = {
    "agent-state": _told(of_agent_state.check),
    "recording": _told(of_recording.check),
    "reporting": _told(of_reporting.violations),
    "routing": _told(of_routing.check),
}
"""By service, what its core's own invariants, bounds among them, find wrong with a state."""


def check_states(findings: Findings, service: str, states: Mapping[str, Any], place: Place) -> None:
    """Judge the states of all domains of a partition, as they are after the entry at `place`."""
    faults = STATE_FAULTS.get(service)
    if faults is None:
        return
    for domain, state in states.items():
        findings.count(INVARIANT, "states")
        for fault in faults(state):
            findings.violation(INVARIANT, place, domain, f"the state of {service}: {fault}")


class Bounds(EventCheck):
    """Sizes of batches, the length of queues, and what waits to be published, in one partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._unpublished: dict[str, deque[int]] = {}
        self._waiting_max: dict[tuple[str, str], int] = {}
        self._waiting: dict[tuple[str, str], int] = {}
        self._queue_of: dict[tuple[str, str], str] = {}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            session.QueueLearned: self._learned,
            session.ContactQueued: self._queued,
            session.ContactMoved: self._moved,
            session.CallbackScheduled: self._left,
            session.ContactConnected: self._left,
            session.ContactAbandoned: self._left,
            session.ContactCompleted: self._left,
            session.ContactHandedBack: self._left,
            session.ContactDiverted: self._left,
            session.CallbackEnded: self._left,
        }

    def entry(self, entry: Entry) -> None:
        self._findings.count(INVARIANT, "records")
        self._findings.most(INVARIANT, "largest bytes", entry.bytes)
        if entry.bytes > BATCH_BYTES_MAX:
            why = f"the entry has {entry.bytes:,} bytes, at most {BATCH_BYTES_MAX:,} are allowed"
            self._violation(entry, "", why)
        if isinstance(entry.kind, wire.Batch):
            self._published(entry, entry.kind)

    def _published(self, entry: Entry, batch: wire.Batch) -> None:
        waiting = self._unpublished.setdefault(entry.service, deque())
        if batch.events:
            waiting.append(entry.place.position)
        while waiting and waiting[0] < batch.relayed:
            waiting.popleft()
        self._findings.most(INVARIANT, "most unpublished", len(waiting))
        if len(waiting) == UNPUBLISHED_MAX + 1:
            why = (
                f"{len(waiting):,} batches are not published, at most {UNPUBLISHED_MAX:,} may wait"
            )
            self._violation(entry, batch.domain, why)

    def _learned(self, entry: Entry, event: session.QueueLearned) -> None:
        self._waiting_max[entry.batch.domain, event.queue_id] = event.waiting_max

    def _moved(self, entry: Entry, event: session.ContactMoved) -> None:
        self._entered(entry, event)

    def _entered(self, entry: Entry, event: session.ContactMoved | session.ContactQueued) -> int:
        self._left(entry, event)
        domain = entry.batch.domain
        queue = (domain, event.queue_id)
        waiting = self._waiting[queue] = self._waiting.get(queue, 0) + 1
        self._queue_of[domain, event.contact_id] = event.queue_id
        self._findings.most(INVARIANT, "most waiting", waiting)
        return waiting

    def _queued(self, entry: Entry, event: session.ContactQueued) -> None:
        domain, waiting = entry.batch.domain, self._entered(entry, event)
        most = self._waiting_max.get((domain, event.queue_id))
        # A callback that comes back has its place, however many wait.
        if most is not None and waiting > most and not event.returns:
            why = f"contact {event.contact_id} is number {waiting} in queue {event.queue_id}, which takes {most}"
            self._violation(entry, domain, why)

    def _left(self, entry: Entry, event: Any) -> None:
        domain = entry.batch.domain
        queue_id = self._queue_of.pop((domain, event.contact_id), None)
        if queue_id is not None:
            self._waiting[domain, queue_id] -= 1

    def _violation(self, entry: Entry, domain: str, why: str) -> None:
        self._findings.violation(INVARIANT, entry.place, domain, why)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a service was to take in when it was looked at, and when that was, by two clocks."""

    position: int
    seen_s: float
    own_ms: int


class Lag(EventCheck):
    """How far each service has taken in the others, in one partition.

    Whatever a service writes says how far it has read. One that writes nothing is not judged: it may have nothing to
    say. One that writes is late by its own log time, and by the clock of who follows.
    """

    def __init__(
        self,
        findings: Findings,
        partition: int,
        intake: Intake,
        *,
        grace_ms: int,
        ended: bool,
        clock: Clock | None = None,
    ) -> None:
        self._findings = findings
        self._partition = partition
        self._intake = intake
        self._grace_ms = grace_ms
        self._day_ended = ended
        self._clock = clock
        self._with_events: dict[str, deque[tuple[int, int, str]]] = {}
        """By topic: position, log time and domain of batches with events that somebody has not taken in yet."""
        self._marks: dict[tuple[str, str], _Mark] = {}
        self._late: set[tuple[str, str]] = set()

    def entry(self, entry: Entry) -> None:
        if isinstance(entry.kind, wire.Claim):
            return
        batch = entry.kind
        if batch.events:
            batches = self._with_events.setdefault(
                entry.place.topic, deque(maxlen=LAG_REMEMBERED_MAX)
            )
            batches.append((entry.place.position, batch.at_ms, batch.domain))

    def judge(self) -> None:
        self._forget_taken_in()
        for service, topic, position in self._intake.positions():
            waiting = self._with_events.get(topic, deque())
            oldest = next((one for one in waiting if one[0] >= position), None)
            if oldest is None:
                self._late.discard((service, topic))
                self._marks.pop((service, topic), None)
                continue
            place = Place(topic=topic, partition=self._partition, position=oldest[0])
            if self._clock is None:
                late_ms = self._intake.overdue_ms(service, place, oldest[1])
            else:
                late_ms = self._followed_ms(service, topic, position, waiting[-1][0], self._clock())
            self._tell(service, place, oldest[2], late_ms)

    def _followed_ms(
        self, service: str, topic: str, position: int, newest: int, now_s: float
    ) -> int:
        """Return for how long all that waits has been seen by who follows, the service being there all the time."""
        mark = self._marks.get((service, topic))
        if mark is None or position > mark.position:
            mark = _Mark(newest, now_s, self._intake.newest_ms(service))
            self._marks[service, topic] = mark
        return min(int((now_s - mark.seen_s) * 1_000), self._intake.owned_ms(service, mark.own_ms))

    def _tell(self, service: str, place: Place, domain: str, late_ms: int) -> None:
        who = (service, place.topic)
        if late_ms <= self._grace_ms:
            self._late.discard(who)
        elif who not in self._late:
            self._late.add(who)
            why = f"{service} has not taken this in {late_ms:,} ms later"
            self._findings.violation(INVARIANT, place, domain, why)

    def finish(self) -> None:
        if self._day_ended:
            self.judge()

    def _forget_taken_in(self) -> None:
        positions = [*self._intake.positions()]
        for topic, batches in self._with_events.items():
            readers = [at for _, source, at in positions if source == topic]
            least = min(readers, default=0)
            while batches and (not readers or batches[0][0] < least):
                batches.popleft()
