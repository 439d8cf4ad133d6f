"""What each service of one partition has taken in of the others, and for how long it could have acted on it.

Owners keep their log time by their own clocks, and these differ. So no log times of two journals are subtracted: what a
service owes is judged by the log time of its own journal.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Final

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import SERVICES, topic_journal
from huntgroup_onebox.audit.feed import EventCheck
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Place

Clock = Callable[[], float]
"""Seconds that only ever grow."""
STEPS: Final = 100
"""When something was taken in is known to so many parts of the time that is judged, the later end."""
WRITERS: Final[Mapping[str, str]] = {topic_journal(service): service for service in SERVICES}


class Intake(EventCheck):
    """The log times of the journals of one partition, and what their batches say is taken in."""

    def __init__(self, judged_ms: int) -> None:
        """Remember when something was taken in for as long as the answer may be at most `judged_ms`."""
        self._judged_ms = judged_ms
        self._step_ms = max(1, judged_ms // STEPS)
        self._first_ms: dict[str, int] = {}
        self._newest_ms: dict[str, int] = {}
        self._claimed_ms: dict[str, int] = {}
        self._taken: dict[tuple[str, str], deque[tuple[int, int]]] = {}
        """By service and topic of another: when, by its own log time, it had taken in everything below a position."""

    def entry(self, entry: Entry) -> None:
        kind, service = entry.kind, entry.service
        if isinstance(kind, wire.Claim):
            self._claimed_ms[service] = kind.at_ms
            return
        self._first_ms.setdefault(service, kind.at_ms)
        self._newest_ms[service] = kind.at_ms
        for source in kind.sources:
            self._take(service, source.topic, source.position, kind.at_ms)

    def _take(self, service: str, topic: str, position: int, at_ms: int) -> None:
        taken = self._taken.setdefault((service, topic), deque())
        if taken and taken[-1][0] // self._step_ms == at_ms // self._step_ms:
            taken.pop()
        taken.append((at_ms, position))
        while len(taken) > 1 and taken[1][0] < at_ms - self._judged_ms:
            taken.popleft()

    def newest_ms(self, service: str) -> int:
        """Return the log time that a journal has come to, 0 without a batch."""
        return self._newest_ms.get(service, 0)

    def positions(self) -> Iterator[tuple[str, str, int]]:
        """Yield each service, the topic of another, and the position below which it has taken in everything."""
        for (service, topic), taken in self._taken.items():
            yield service, topic, taken[-1][1]

    def position(self, service: str, topic: str) -> int:
        """Return the position below which a service has taken in everything of a topic."""
        taken = self._taken.get((service, topic))
        return taken[-1][1] if taken else 0

    def owned_ms(self, service: str, since_ms: int = 0) -> int:
        """Return how much log time a journal has passed since `since_ms` of its own, or since its last claim."""
        return self.newest_ms(service) - max(since_ms, self._claimed_ms.get(service, 0))

    def overdue_ms(self, service: str, place: Place, at_ms: int, wait_ms: int = 0) -> int:
        """Return how long `service` could have done what follows from the entry at `place`, of log time `at_ms`.

        It counts its own log time from when it took the entry in, and `wait_ms` more. What it has not taken in it owes,
        too, as long as both journals went on without its taking in any more of that one: the shorter time counts.
        Beyond what is judged the answer may be too small.
        """
        if place.topic == topic_journal(service):
            return self.owned_ms(service, at_ms + wait_ms)
        taken = self._taken.get((service, place.topic), ())
        known_ms = next((at for at, position in taken if position > place.position), None)
        if known_ms is not None:
            return self.owned_ms(service, known_ms + wait_ms)
        there_ms = self.newest_ms(WRITERS[place.topic]) - at_ms
        idle_ms = self.owned_ms(service, taken[-1][0] if taken else self._first_ms.get(service, 0))
        return min(there_ms, idle_ms) - wait_ms


class Patience:
    """How long one who reads along has seen that something is owed, by a clock that nobody sets."""

    def __init__(self, clock: Clock | None) -> None:
        """Without a clock whatever is owed was seen long enough: the log is read once."""
        self._clock = clock
        self._since_s: dict[Hashable, float] = {}

    def look(self, owed: Iterable[Hashable]) -> None:
        """See what is owed now; what is not among it any more is forgotten."""
        if self._clock is not None:
            now_s, before = self._clock(), self._since_s
            self._since_s = {one: before.get(one, now_s) for one in owed}

    def is_over(self, one: Hashable, grace_ms: int) -> bool:
        """Return whether one of what was looked at has been seen for longer than `grace_ms`."""
        if self._clock is None:
            return True
        return (self._clock() - self._since_s[one]) * 1_000 > grace_ms
