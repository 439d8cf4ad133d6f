"""A file that is wrong is told with its line, field, value and rule."""

from datetime import date
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from huntgroup_onebox.yaml_file import BYTES_MAX, YamlFile, YamlFileError


class Seat(Struct, kw_only=True, forbid_unknown_fields=True):
    row: Annotated[int, Meta(ge=1)]
    names: tuple[str, ...] = ()


class Days(Struct, kw_only=True):
    closed: date
    note: str = ""


class Hall(Struct, kw_only=True, forbid_unknown_fields=True):
    seats: dict[str, Seat]
    lights: list[int] = []


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "hall.yaml"
    file.write_text(text)
    with pytest.raises(YamlFileError) as caught:
        YamlFile(file).to(Hall)
    return str(caught.value).removeprefix(str(file))


def test_a_good_file_is_a_value(tmp_path: Path) -> None:
    file = tmp_path / "hall.yaml"
    file.write_text("seats: {a: {row: 1, names: [x]}}\n")
    assert YamlFile(file).to(Hall) == Hall(seats={"a": Seat(row=1, names=("x",))})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("seats:\n  a: {row: 1}\n  b:\n    row: 0\n", ":4:5: seats.b.row: 0: Expected `int` >= 1"),
        ("seats:\n  a: {row: 1}\n  b:\n    row: one\n", ":4:5: seats.b.row: 'one': Expected `int`"),
        (
            "seats:\n  a:\n    row: 1\n    aisle: 2\n",
            ":4:5: seats.a.aisle: 2: Object contains unknown",
        ),
        ("seats:\n  a:\n    names: []\n", ":2:3: seats.a: Object missing required field `row`"),
        ("seats:\n  a:\n    row: 1\n    names:\n    - x\n    - 7\n", ":6:7: seats.a.names[1]: 7: "),
        ("seats: {}\nlights: [1,\n  x]\n", ":3:3: lights[1]: 'x': Expected `int`"),
        ("seats:\n  a: {row: 1}\n  a: {row: 2}\n", ":3:3: seats.a: is there twice"),
        ("seats: [\n", ":2:1: is no YAML: "),
        (
            "seats: !!python/object:os.system {}\n",
            ":1:8: is no YAML: could not determine a constructor",
        ),
        ("", ":1:1: the file: Expected `object`, got `null`"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    assert refused(tmp_path, text).startswith(told)


def test_a_field_may_be_wrong_by_a_rule_of_the_reader(tmp_path: Path) -> None:
    file = tmp_path / "hall.yaml"
    file.write_text("seats:\n  a:\n    row: 7\n")
    error = YamlFile(file).error(("seats", "a", "row"), "is taken")
    assert str(error) == f"{file}:3:5: seats.a.row: 7: is taken"


def test_a_date_is_read_as_the_field_wants_it_and_one_that_does_not_exist_is_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "days.yaml"
    file.write_text("closed: 2026-12-25\nnote: 2026-12-25\n")
    assert YamlFile(file).to(Days) == Days(closed=date(2026, 12, 25), note="2026-12-25")
    file.write_text("closed: 2026-02-30\n")
    with pytest.raises(YamlFileError, match="1:1: closed: '2026-02-30': Invalid RFC3339"):
        YamlFile(file).to(Days)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(YamlFileError, match=r"cannot be read: .*No such file"):
        YamlFile(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (BYTES_MAX + 1))
    with pytest.raises(YamlFileError, match="larger than 16,777,216 bytes"):
        YamlFile(large)
