"""The live wallboard of the played day: on a terminal a picture that changes, elsewhere a line now and then."""

import time
from types import TracebackType
from typing import Self

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from huntgroup.reporting.v1 import commands_pb2 as pb
from huntgroup_loadtest.fitted import Fitted, Row
from huntgroup_loadtest.timeline import Timeline

LINE_EVERY_S = 5.0
RATE_OVER_S = 2.0
SERVICE_LEVEL_TARGET = 0.8
HEADINGS = (
    *("waiting", "longest s", "ringing", "talking", "offered", "answered"),
    *("abandoned", "SL 80/20", "ASA s"),
)


class Wallboard:
    """Shows each live view; use it with `with`."""

    def __init__(self, console: Console, timeline: Timeline, *, plain: bool) -> None:
        self._console = console
        self._timeline = timeline
        self._live = None if plain else Live(console=console, refresh_per_second=8, transient=True)
        self._lined_s = 0.0
        self._rates: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, live: pb.WatchDomainResponse, over: float) -> None:
        """Show a live view; `over` is the share of the day that is over."""
        now_s = time.monotonic()
        rate = self._rate(now_s, live.events)
        if self._live is not None:
            self._live.update(self._picture(live, over, rate))
        elif now_s - self._lined_s >= LINE_EVERY_S:
            self._lined_s = now_s
            self._console.print(self._line(live, over, rate), highlight=False)

    def _rate(self, now_s: float, events: int) -> float:
        self._rates.append((now_s, events))
        while len(self._rates) > 1 and now_s - self._rates[0][0] > RATE_OVER_S:
            self._rates.pop(0)
        since_s, before = self._rates[0]
        return (events - before) / (now_s - since_s) if now_s > since_s else 0.0

    def _clock(self) -> str:
        minutes = self._timeline.day_ms() // 60_000
        return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"

    def _line(self, live: pb.WatchDomainResponse, over: float, rate: float) -> str:
        waiting = sum(queue.waiting for queue in live.queues)
        offered = sum(queue.offered for queue in live.queues)
        answered = sum(queue.answered for queue in live.queues)
        abandoned = sum(queue.abandoned for queue in live.queues)
        agents = " ".join(
            f"{one.state.lower().replace('_', ' ')} {one.agents}"
            for one in live.agents
            if one.agents
        )
        return (
            f"{self._clock()} {over:4.0%}  waiting {waiting}  offered {offered}  answered {answered}"
            f"  abandoned {abandoned}  | {agents} | {rate:,.0f} events/s"
        )

    def _picture(self, live: pb.WatchDomainResponse, over: float, rate: float) -> Group:
        head = Text.assemble(
            ("Huntgroup ", "bold"),
            f" {self._clock()}   {over:.0%} of the day   {rate:,.0f} events/s   {live.events:,} events",
        )
        progress = ProgressBar(total=1.0, completed=over, width=72)
        return Group(head, progress, Text(), Columns([self._queues(live), _agents(live)]))

    def _queues(self, live: pb.WatchDomainResponse) -> Fitted:
        return Fitted("queues", ["", *HEADINGS], list(map(self._row, live.queues)))

    def _row(self, queue: pb.QueueLive) -> Row:
        speed = self._timeline.speed
        now_ms = self._timeline.clock.now_ms()
        longest_ms = (now_ms - queue.waiting_since_ms) * speed if queue.waiting_since_ms else 0
        good = queue.service_level >= SERVICE_LEVEL_TARGET
        level = f"{queue.service_level:.0%}" if queue.answered or queue.abandoned else "–"
        cells = (
            Text(str(queue.waiting), style="bold red" if queue.waiting else ""),
            f"{longest_ms / 1_000:.0f}",
            str(queue.ringing),
            str(queue.talking),
            str(queue.offered),
            str(queue.answered),
            str(queue.abandoned),
            Text(level, style="green" if good else "yellow"),
            f"{queue.asa_ms * speed / 1_000:.1f}",
        )
        return Row(queue.queue_id, cells)


def _agents(live: pb.WatchDomainResponse) -> Table:
    table = Table(title="agents", title_justify="left", header_style="bold")
    table.add_column("state")
    table.add_column("agents", justify="right")
    for one in live.agents:
        if one.agents:
            table.add_row(one.state.lower().replace("_", " "), str(one.agents))
    return table
