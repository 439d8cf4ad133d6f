"""Tables and the wallboard on a narrow screen: every figure is there, whole, beside the name of its row."""

import io

import pytest
from rich.columns import Columns
from rich.console import Console
from rich.text import Text

from huntgroup.reporting.v1 import commands_pb2 as pb
from huntgroup_loadtest.arrivals import HOUR_MS
from huntgroup_loadtest.fitted import Fitted, Row
from huntgroup_loadtest.timeline import Timeline
from huntgroup_loadtest.wallboard import Wallboard
from huntgroup_runtime.clock import Activity, SystemClock

HEADINGS = ["", *(f"figure {number}" for number in range(9))]
ROWS = [
    Row(name, [f"{number}{name[0]}.5 ± {number}9" for number in range(9)])
    for name in ("sales", "tax", "loans and mortgages")
]


def shown(renderable: object, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    console.print(renderable)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 400])
def test_every_figure_is_whole_beside_the_name_of_its_row(width: int) -> None:
    lines = shown(Fitted("a title", HEADINGS, ROWS), width)
    assert all(len(line) <= width for line in lines)
    for name, cells, _ in ROWS:
        of_row = [line for line in lines if f" {name} " in line]
        for cell in cells:
            assert sum(f" {cell} " in line for line in of_row) == 1
    assert sum("a title" in line for line in lines) == 1
    assert (sum("sales" in line for line in lines) == 1) == (width == 400)


def test_a_name_that_is_longer_than_the_screen_is_cut_with_a_mark() -> None:
    lines = shown(Fitted("", ["", "n"], [Row("x" * 80, ["1"])]), 60)
    (line,) = [one for one in lines if "xxx" in one]
    assert "…" in line
    assert " 1 " in line


def test_there_may_be_no_row() -> None:
    assert "figure" in "".join(shown(Fitted("none", HEADINGS, []), 60))


def test_narrow_tables_stand_side_by_side_where_there_is_room() -> None:
    two = [Fitted("", ["", "n"], [Row(name, [Text("1", style="bold")])]) for name in "ab"]
    assert any("a" in line and "b" in line for line in shown(Columns(two), 60))


def test_the_wallboard_loses_no_figure_on_a_narrow_terminal() -> None:
    console = Console(
        width=60, height=60, file=io.StringIO(), force_terminal=True, color_system=None
    )
    timeline = Timeline(
        clock=SystemClock(),
        activity=Activity(),
        start_ms=0,
        opens_ms=7 * HOUR_MS,
        speed=200.0,
    )
    queue = pb.QueueLive(queue_id="mortgages", waiting=1234, ringing=2345, talking=3456)
    queue.offered, queue.answered, queue.abandoned = 45678, 56789, 67890
    live = pb.WatchDomainResponse(queues=[queue], events=1)
    with Wallboard(console, timeline, plain=False) as wallboard:
        wallboard.show(live, 0.5)
        file = console.file
        assert isinstance(file, io.StringIO)
    told = file.getvalue()
    for figure in ("1234", "2345", "3456", "45678", "56789", "67890"):
        assert f" {figure} " in told
