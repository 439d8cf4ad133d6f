"""The day's report, by hour and by queue: for people as a table, for programs as JSON. Times are those of the day."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from huntgroup.reporting.v1 import commands_pb2 as pb
from huntgroup_loadtest import fitted
from huntgroup_loadtest.arrivals import HOUR_MS
from huntgroup_loadtest.fitted import Fitted
from huntgroup_loadtest.timeline import Timeline

COUNTS = (
    "offered",
    "answered",
    "answered_within_threshold",
    "abandoned",
    "abandoned_within_threshold",
    "handled",
    "offers_accepted",
    "offers_rejected",
    "offers_expired",
    "offers_canceled",
    "offers_rescinded",
)
SPANS = ("answered_wait_ms", "abandoned_wait_ms", "talk_ms", "hold_ms", "wrap_up_ms")
COLUMNS = ("calls", "answ.", "aband.", "SL 20s", "ASA s", "AHT s", "aband. %", "occup.")


@dataclass(slots=True)
class Row:
    """Sums of one hour or one queue, in milliseconds of the day; figures as docs/reference/kpi.md defines them."""

    name: str
    sums: Counter[str] = field(default_factory=Counter)
    wait_ms_max: int = 0
    handling_ms: int = 0
    idle_ms: int = 0

    def add(self, interval: pb.QueueInterval, speed: float) -> None:
        """Add a queue's counts and spans."""
        for name in COUNTS:
            self.sums[name] += getattr(interval, name)
        for name in SPANS:
            self.sums[name] += round(getattr(interval, name) * speed)
        self.wait_ms_max = max(self.wait_ms_max, round(interval.wait_ms_max * speed))

    def add_agents(self, interval: pb.AgentsInterval, speed: float) -> None:
        """Add what all agents did."""
        handling_ms = interval.talking_ms + interval.wrapping_up_ms
        self.handling_ms += round(handling_ms * speed)
        self.idle_ms += round(interval.idle_ms * speed)

    @property
    def service_level(self) -> float | None:
        """SL_offered: answered within the threshold, of answered and of abandoned beyond it."""
        late = self.sums["abandoned"] - self.sums["abandoned_within_threshold"]
        return _ratio(self.sums["answered_within_threshold"], self.sums["answered"] + late)

    @property
    def asa_ms(self) -> float | None:
        """Mean wait of the answered."""
        return _ratio(self.sums["answered_wait_ms"], self.sums["answered"])

    @property
    def aht_ms(self) -> float | None:
        """Mean of talk, hold and wrap-up of the handled."""
        spans = self.sums["talk_ms"] + self.sums["hold_ms"] + self.sums["wrap_up_ms"]
        return _ratio(spans, self.sums["handled"])

    @property
    def abandonment(self) -> float | None:
        """Abandoned, of offered."""
        return _ratio(self.sums["abandoned"], self.sums["offered"])

    @property
    def occupancy(self) -> float | None:
        """Handling, of handling and ready-idle."""
        return _ratio(self.handling_ms, self.handling_ms + self.idle_ms)

    def cells(self) -> list[str]:
        """Return the row as text, in the order of `COLUMNS`."""
        return [
            str(self.sums["offered"]),
            str(self.sums["answered"]),
            str(self.sums["abandoned"]),
            _percent(self.service_level),
            _seconds(self.asa_ms),
            _seconds(self.aht_ms),
            _percent(self.abandonment),
            _percent(self.occupancy),
        ]

    def values(self) -> dict[str, Any]:
        """Return the row for programs: counts, milliseconds, and ratios (null where the divisor is 0)."""
        return {
            "name": self.name,
            **{name: self.sums[name] for name in (*COUNTS, *SPANS)},
            "wait_ms_max": self.wait_ms_max,
            "service_level": self.service_level,
            "asa_ms": self.asa_ms,
            "aht_ms": self.aht_ms,
            "abandonment": self.abandonment,
            "occupancy": self.occupancy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """The whole day, by hour and by queue."""

    hours: Sequence[Row]
    queues: Sequence[Row]
    total: Row

    def values(self) -> dict[str, Any]:
        """Return everything for programs."""
        return {
            "total": self.total.values(),
            "hours": [row.values() for row in self.hours],
            "queues": [row.values() for row in self.queues],
        }

    def tables(self) -> list[Fitted]:
        """Return everything for people."""
        return [
            _table("Day by hour", [*self.hours, self.total], COLUMNS),
            # Agents serve several queues: occupancy is not a queue's.
            _table("Day by queue", self.queues, COLUMNS[:-1]),
        ]


def day_report(report: pb.GetReportResponse, timeline: Timeline) -> DayReport:
    """Return the day's report from the ledger's own rows, each added to the hour of the day in which it begins."""
    hours: dict[int, Row] = {}
    queues: dict[str, Row] = {}
    total = Row("day")

    def hour_of(start_ms: int) -> Row:
        day_ms = (start_ms - timeline.start_ms) * timeline.speed + timeline.opens_ms
        hour = math.floor(day_ms / HOUR_MS)
        return hours.setdefault(hour, Row(f"{hour % 24:02d}:00"))

    for interval in report.queues:
        queue = queues.setdefault(interval.queue_id, Row(interval.queue_id))
        for row in (hour_of(interval.interval_start_ms), queue, total):
            row.add(interval, timeline.speed)
    for agents in report.agents:
        for row in (hour_of(agents.interval_start_ms), total):
            row.add_agents(agents, timeline.speed)
    kept = [row for _, row in sorted(hours.items()) if row.sums["offered"] or row.sums["handled"]]
    return DayReport(hours=kept, queues=[queues[name] for name in sorted(queues)], total=total)


def _table(title: str, rows: Iterable[Row], columns: Sequence[str]) -> Fitted:
    told = [
        fitted.Row(row.name, row.cells()[: len(columns)], "bold" if row.name == "day" else "")
        for row in rows
    ]
    return Fitted(title, ["", *columns], told)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.1%}"


def _seconds(span_ms: float | None) -> str:
    return "–" if span_ms is None else f"{span_ms / 1_000:.1f}"
