"""A table whose columns go below each other where the screen is too narrow: no figure is cut, or broken in two.

A name that takes more than half of the screen is cut, with a mark.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

BORDER = 3
"""What a column takes beside its widest cell."""


class Row(NamedTuple):
    """Its name, a cell for each column behind it, and the style of all."""

    name: str
    cells: Sequence[str | Text]
    style: str = ""


class Fitted:
    """A table of figures; the first column names the rows, and is there again in each part."""

    def __init__(self, title: str, headings: Sequence[str], rows: Sequence[Row]) -> None:
        """Make it; `headings` are those of all columns, and may go over several lines at spaces."""
        self.title = title
        self._name, *self._headings = headings
        self._rows = rows
        names = [self._name, *(row.name for row in rows)]
        self._named = max(Text(one).cell_len for one in names) + BORDER + 1
        self._widths = [self._width(index) for index in range(len(self._headings))]

    @property
    def _whole(self) -> int:
        """Return how wide it is with all columns side by side."""
        return self._named + sum(width + BORDER for width in self._widths)

    def _width(self, index: int) -> int:
        words = (Text(word).cell_len for word in self._headings[index].split())
        cells = (row.cells[index] for row in self._rows)
        return max(
            *words,
            *((one if isinstance(one, Text) else Text(one)).cell_len for one in cells),
            0,
        )

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return how wide it is side by side, if there is so much room."""
        width = min(self._whole, options.max_width)
        return Measurement(width, width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Yield the parts of it."""
        title, named = self.title, self._named
        if self._whole > options.max_width:
            named = min(named, options.max_width // 2)
        for columns in self._parts(options.max_width - named):
            table = Table(title=title, title_justify="left", header_style="bold")
            table.add_column(self._name, no_wrap=True, max_width=named - BORDER - 1)
            for index in columns:
                width = self._widths[index]
                table.add_column(self._headings[index], justify="right", min_width=width)
            for row in self._rows:
                cells = (row.cells[index] for index in columns)
                table.add_row(row.name, *cells, style=row.style)
            yield table
            title = ""

    def _parts(self, room: int) -> Iterator[list[int]]:
        """Yield the columns that fit side by side in the room beside the names, at least one."""
        part: list[int] = []
        left = room
        for index, width in enumerate(self._widths):
            if part and width + BORDER > left:
                yield part
                part, left = [], room
            part.append(index)
            left -= width + BORDER
        if part:
            yield part
