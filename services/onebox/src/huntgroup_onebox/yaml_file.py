"""A YAML file and where its values stand; what is wrong is told with file, line, column, field, value and rule."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

Field = tuple[str | int, ...]
"""The way to a value: keys and indices from the top."""
Found = tuple[Field, str]
"""The way to a value, and the rule that it breaks."""

BYTES_MAX: Final = 16 * 1024 * 1024
SHOWN_MAX: Final = 60
TOLD_MAX: Final = 1_000
"""At most so many faults of a file are told one by one."""
UNKNOWN: Final = "there is no such field"


class _Loader(yaml.SafeLoader):
    """Leaves dates as they are written: which fields are dates, and which dates there are, the wanted type knows."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class YamlFileError(ValueError):
    """The file cannot be used; the message names file, line, column, field, value and rule."""

    def __init__(self, told: str, place: tuple[int, int] = (1, 1)) -> None:
        """Make it; `place` is line and column."""
        super().__init__(told)
        self.place = place


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
            self.doubles = [] if root is None else list(self._doubles(root, (), set()))
            self._content: Any = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
        except (OSError, UnicodeDecodeError) as error:
            raise YamlFileError(f"{path}: cannot be read: {error}") from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
            raise YamlFileError(f"{path}{place}: is no YAML: {error.problem}") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise YamlFileError(f"{path}: is no YAML: {error}") from error

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
        return self._error(self.place(field), f"{_dotted(field)}:{shown} {rule}")

    def _error(self, place: tuple[int, int], told: str) -> YamlFileError:
        return YamlFileError(f"{self.path}:{place[0]}:{place[1]}: {told}", place)

    def errors(self, found: Iterable[Found]) -> list[YamlFileError]:
        """Return what was found, and each name that is there twice, in the order of the file."""
        errors = [*self.doubles, *(self.error(field, rule) for field, rule in found)]
        return sorted(errors, key=lambda one: one.place)

    def place(self, field: Field) -> tuple[int, int]:
        """Return line and column of a value's name, or of the nearest one around it that is in the file as such."""
        node, mark = self._root, None if self._root is None else self._root.start_mark
        for step in field:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(step)]
                if not pairs:
                    break
                mark, node = pairs[-1][0].start_mark, pairs[-1][1]  # of doubles the last one holds
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                node = node.value[step]
                mark = node.start_mark
            else:
                break
        return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)

    def _doubles(self, node: yaml.Node, field: Field, seen: set[int]) -> Iterator[YamlFileError]:
        """Yield each name that is in its mapping already; what stands under the first of them says nothing."""
        if id(node) in seen:
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, one in enumerate(node.value):
                yield from self._doubles(one, (*field, index), seen)
        if not isinstance(node, yaml.MappingNode):
            return
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            mark = key.start_mark
            if key.value in lines:
                told = f"{_dotted((*field, key.value))}: is there twice, first in line {lines[key.value]}"
                yield self._error((mark.line + 1, mark.column + 1), told)
            lines.setdefault(key.value, mark.line + 1)
            yield from self._doubles(value, (*field, key.value), seen)


def no_such_field(known: Collection[str]) -> str:
    """Return the rule that an unknown name breaks."""
    return f"{UNKNOWN}; there are: {', '.join(known)}"


def together(errors: Sequence[YamlFileError]) -> YamlFileError:
    """Return one error that tells of all, a line each."""
    lines = list(map(str, errors[:TOLD_MAX]))
    if len(errors) > TOLD_MAX:
        lines.append(f"and {len(errors) - TOLD_MAX:,} more faults")
    return YamlFileError("\n".join(lines), errors[0].place)


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
