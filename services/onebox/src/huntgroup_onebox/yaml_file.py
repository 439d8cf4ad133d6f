"""Reads a YAML file into a typed value; what is wrong is told with file, line, column, field, value and rule."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

T = TypeVar("T")
Field = tuple[str | int, ...]
"""The way to a value: keys and indices from the top."""

BYTES_MAX: Final = 16 * 1024 * 1024
SHOWN_MAX: Final = 60
FAULT: Final = re.compile(r"(?P<rule>.*?)(?: - at (?P<place>.*))?", re.DOTALL)
STEP: Final = re.compile(r"\.(?P<key>[^.\[`]+)|\[(?P<index>\d+|\.\.\.)\]")
NAMED: Final = re.compile(r"Object contains unknown field `(?P<key>.+)`")


class _Loader(yaml.SafeLoader):
    """Leaves dates as they are written: which fields are dates, and which dates there are, the wanted type knows."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class YamlFileError(ValueError):
    """The file cannot be used; the message names file, line, column, field, value and rule."""


class YamlFile:
    """A file that was parsed, and where each of its values stands."""

    def __init__(self, path: Path) -> None:
        """Parse; raises `YamlFileError`."""
        self.path = path
        try:
            if path.stat().st_size > BYTES_MAX:
                raise YamlFileError(f"{path}: larger than {BYTES_MAX:,} bytes")
            text = path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=_Loader)
            self._root = root
            if root is not None:
                self._refuse_doubles(root, (), set())
            self._content: Any = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        except (OSError, UnicodeDecodeError) as error:
            raise YamlFileError(f"{path}: cannot be read: {error}") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            raise YamlFileError(f"{path}{place}: is no YAML: {error.problem}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise YamlFileError(f"{path}: is no YAML: {error}") from error

    def to(self, wanted: type[T]) -> T:
        """Return the content as a value of the type; raises `YamlFileError`."""
        try:
            return msgspec.convert(self._content, wanted)
        except msgspec.ValidationError as error:
            raise self._mismatch(wanted, error) from error

    @property
    def content(self) -> Any:
        """The values as plain Python has them."""
        return self._content

    def error(self, field: Field, rule: str) -> YamlFileError:
        """Return the error that says which rule the value of a field breaks."""
        value = _find(self._content, field)
        shown = (
            ""
            if isinstance(value, Mapping | list) or value is None
            else f" {value!r:.{SHOWN_MAX}}:"
        )
        line, column = self.place(field)
        place = f"{self.path}:{line}:{column}"
        return YamlFileError(f"{place}: {_dotted(field)}:{shown} {rule}")

    def _mismatch(self, wanted: type[T], error: msgspec.ValidationError) -> YamlFileError:
        found = FAULT.fullmatch(str(error))
        assert found is not None
        field = self._field(wanted, found["place"] or "", str(error))
        rule = found["rule"]
        named = NAMED.fullmatch(rule)
        return self.error((*field, named["key"]) if named else field, rule)

    def _field(self, wanted: type[T], place: str, told: str) -> Field:
        """Return the way to what msgspec complains of; it leaves the keys of mappings out, so they are tried."""
        field: Field = ()
        for step in STEP.finditer(place):
            if step["key"] is not None:
                field = (*field, step["key"])
            elif step["index"] != "...":
                field = (*field, int(step["index"]))
            else:
                found = _find(self._content, field)
                keys = found if isinstance(found, Mapping) else ()
                field = next(
                    (
                        (*field, key)
                        for key in keys
                        if _complaint(wanted, _only(self._content, field, key)) == told
                    ),
                    field,
                )
        return field

    def place(self, field: Field) -> tuple[int, int]:
        """Return line and column of a value's name, or of the nearest one around it that is in the file as such."""
        node, mark = self._root, None if self._root is None else self._root.start_mark
        for step in field:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(step)]
                if not pairs:
                    break
                mark, node = pairs[0][0].start_mark, pairs[0][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                mark = node.start_mark
            else:
                break
        return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)

    def _refuse_doubles(self, node: yaml.Node, field: Field, seen: set[int]) -> None:
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, one in enumerate(node.value):
                self._refuse_doubles(one, (*field, index), seen)
        if not isinstance(node, yaml.MappingNode):
            return
        keys: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in keys:
                mark = key.start_mark
                place = f"{self.path}:{mark.line + 1}:{mark.column + 1}"
                raise YamlFileError(f"{place}: {_dotted((*field, key.value))}: is there twice")
            keys.add(key.value)
            self._refuse_doubles(value, (*field, key.value), seen)


def _complaint(wanted: type[T], content: Any) -> str:
    try:
        msgspec.convert(content, wanted)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _only(content: Any, field: Field, key: Any) -> Any:
    """Return the content with no other key than this one in the mapping at `field`."""
    if not field:
        return {key: content[key]}
    step, rest = field[0], field[1:]
    if isinstance(content, Mapping):
        return {**content, step: _only(content[step], rest, key)}
    copied = list(content)
    assert isinstance(step, int)
    copied[step] = _only(copied[step], rest, key)
    return copied


def _find(content: Any, field: Field) -> Any:
    """Return the value of a field, or None where there is none."""
    for step in field:
        if isinstance(content, Mapping):
            content = content.get(step)
        elif isinstance(content, list) and isinstance(step, int) and step < len(content):
            content = content[step]
        else:
            return None
    return content


def _dotted(field: Field) -> str:
    return "".join(_steps(field)).lstrip(".") or "the file"


def _steps(field: Field) -> Iterator[str]:
    for step in field:
        yield f"[{step}]" if isinstance(step, int) else f".{step}"
