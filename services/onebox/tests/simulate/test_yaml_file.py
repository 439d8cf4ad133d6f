"""A file that is wrong is told with its line, field, value and rule."""

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from huntgroup_onebox.yaml_file import BYTES_MAX, TOLD_MAX, YamlFile, YamlFileError, together
from huntgroup_onebox.yaml_types import misfits


class Door(StrEnum):
    LEFT = "LEFT"
    RIGHT = "RIGHT"


class Seat(Struct, kw_only=True, forbid_unknown_fields=True):
    row: Annotated[int, Meta(ge=1)]
    names: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=9)], ...], Meta(max_length=2)
    ] = ()
    price: Annotated[float, Meta(gt=0, le=1_000)] = 1
    door: Door | None = None


class Film(Struct, kw_only=True, tag="film", tag_field="kind", forbid_unknown_fields=True):
    year: int


class Play(Struct, kw_only=True, tag="play", tag_field="kind", forbid_unknown_fields=True):
    acts: int


class Days(Struct, kw_only=True):
    closed: date
    note: str = ""


class Hall(Struct, kw_only=True, forbid_unknown_fields=True):
    seats: Annotated[dict[Annotated[str, Meta(pattern="^[a-z]+$")], Seat], Meta(min_length=1)]
    show: Film | Play | None = None


def told_of(tmp_path: Path, text: str, wanted: type = Hall) -> list[str]:
    """Return what is wrong with a file of this text, without its name."""
    path = tmp_path / "hall.yaml"
    path.write_text(text)
    try:
        file = YamlFile(path)
    except YamlFileError as error:
        return [str(error).removeprefix(f"{path}:")]
    errors = file.errors(misfits(file.content, wanted))
    return [str(error).removeprefix(f"{path}:") for error in errors]


def test_a_good_file_has_no_fault(tmp_path: Path) -> None:
    assert (
        told_of(tmp_path, "seats: {a: {row: 1, names: [x]}}\nshow: {kind: film, year: 1999}\n")
        == []
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "seats: {b: {row: 0}}\n",
            ["1:13: seats.b.row: 0: a whole number, at least 1, is expected"],
        ),
        ("seats: {b: {row: one}}\n", ["1:13: seats.b.row: 'one': a whole number, at least 1, is"]),
        ("seats: {b: {row: true}}\n", ["1:13: seats.b.row: True: a whole number, at least 1, is"]),
        (
            "seats:\n  a:\n    row: 1\n    aisle: 2\n",
            ["4:5: seats.a.aisle: 2: there is no such field; there are: row, names, price, door"],
        ),
        ("seats:\n  a:\n    names: []\n", ["2:3: seats.a.row: is needed"]),
        (
            "seats:\n  a:\n    row: 1\n    names:\n    - x\n    - 7\n",
            ["6:7: seats.a.names[1]: 7: text, 1 to 9 characters, is expected"],
        ),
        ("seats: {}\n", ["1:1: seats: at least 1 must be there"]),
        ("seats: []\n", ["1:1: seats: a mapping is expected"]),
        ("seats: {a: 3}\n", ["1:9: seats.a: 3: a mapping is expected, of row, names, price, door"]),
        (
            "seats: {A: {row: 1}}\n",
            ["1:9: seats.A: as a name, text, of the form ^[a-z]+$, is expected"],
        ),
        (
            "seats: {a: {row: 1, price: .nan, door: BACK, names: x}}\n",
            [
                "1:21: seats.a.price: nan: a number, above 0 and at most 1,000, is expected",
                "1:34: seats.a.door: 'BACK': one of LEFT, RIGHT is expected",
                "1:46: seats.a.names: 'x': a list is expected",
            ],
        ),
        (
            "seats: {a: {row: 1, names: [a, b, c]}}\n",
            ["1:21: seats.a.names: 3 are too many: at most 2 may be there"],
        ),
        (
            "seats: {a: {row: 1}}\nshow: {year: 1999}\n",
            ["2:1: show.kind: is needed: one of film, play"],
        ),
        (
            "seats: {a: {row: 1}}\nshow: {kind: fair}\n",
            ["2:8: show.kind: 'fair': one of film, play is expected"],
        ),
        (
            "seats: {a: {row: 1}}\nshow: film\n",
            ["2:1: show: 'film': a mapping is expected, with kind: one of film, play"],
        ),
        (
            "seats: {a: {row: 1}}\nshow: {kind: play, year: 2}\n",
            [
                "2:20: show.year: 2: there is no such field; there are: acts, kind",
                "2:1: show.acts: is",
            ],
        ),
        (
            "lights: [1,\n  x]\nseats:\n  a: {row: 1}\n  a: {row: 2.0}\n",
            [
                "1:1: lights: there is no such field",
                "5:3: seats.a: is there twice, first in line 4",
                "5:7: seats.a.row: 2.0: a whole number",
            ],
        ),
        ("seats: [\n", ["2:1: is no YAML: "]),
        ("seats: !!python/object:os.system {}\n", ["1:8: is no YAML: could not determine a"]),
        ("", ["1:1: the file: a mapping is expected, of seats, show"]),
    ],
)
def test_everything_that_is_wrong_is_told_with_its_place(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    found = told_of(tmp_path, text)
    assert len(found) == len(told), found
    for line, begins in zip(sorted(found), sorted(told), strict=True):
        assert line.startswith(begins)


def test_a_field_may_be_wrong_by_a_rule_of_the_reader(tmp_path: Path) -> None:
    file = tmp_path / "hall.yaml"
    file.write_text("seats:\n  a:\n    row: 7\n")
    error = YamlFile(file).error(("seats", "a", "row"), "is taken")
    assert str(error) == f"{file}:3:5: seats.a.row: 7: is taken"


def test_a_date_is_read_as_the_field_wants_it_and_one_that_does_not_exist_is_told(
    tmp_path: Path,
) -> None:
    assert told_of(tmp_path, "closed: 2026-12-25\nnote: 2026-12-25\n", Days) == []
    assert told_of(tmp_path, "closed: 2026-02-30\n", Days) == [
        "1:1: closed: '2026-02-30': a date that there is, like 2026-12-25, is expected"
    ]


def test_so_many_faults_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    path = tmp_path / "hall.yaml"
    path.write_text(
        f"seats: {{a: {{row: 1}}}}\n{''.join(f'x{n}: 1{chr(10)}' for n in range(1_002))}"
    )
    file = YamlFile(path)
    lines = str(together(file.errors(misfits(file.content, Hall)))).splitlines()
    assert len(lines) == TOLD_MAX + 1
    assert lines[-1] == "and 2 more faults"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(YamlFileError, match=r"cannot be read: .*No such file"):
        YamlFile(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (BYTES_MAX + 1))
    with pytest.raises(YamlFileError, match="larger than 16,777,216 bytes"):
        YamlFile(large)
