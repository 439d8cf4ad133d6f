"""A policy file: queues by name, with the fields of routing's `ConfigureQueue`, and the words they may use.

What a queue may say comes from the .proto, so a field that is added there is part of the format at once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from huntgroup.routing.v1.commands_pb2 import ApplyPolicyRequest, ConfigureQueueRequest
from huntgroup_contracts.codec import CommandCodec
from huntgroup_contracts.mapping import is_context
from huntgroup_contracts.rules import REQUIRED
from huntgroup_contracts.validation import violations
from huntgroup_onebox.policy.mending import mended
from huntgroup_onebox.policy.without_effect import without_effect
from huntgroup_onebox.yaml_file import Field, YamlFile, YamlFileError
from huntgroup_routing.core.faults import STEP, Fault
from huntgroup_routing.core.messages import ApplyPolicy, ConfigureQueue
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.values import QueueId, Vocabulary

SECTIONS: Final = ("skills", "languages", "groups", "queues")
QUEUE: Final = ConfigureQueueRequest.DESCRIPTOR
COMMAND: Final = CommandCodec(ApplyPolicyRequest, ApplyPolicy)
TYPES: Final = {
    FieldDescriptor.CPPTYPE_STRING: (str, "text"),
    FieldDescriptor.CPPTYPE_BOOL: (bool, "true or false"),
    FieldDescriptor.CPPTYPE_INT32: (int, "a whole number"),
    FieldDescriptor.CPPTYPE_INT64: (int, "a whole number"),
}

BREAKS: Final = "breaks the rule: "
PLACED: Final = ("queues", "vocabulary")
"""What a sentence of routing begins with when it names a field."""
UNKNOWN: Final = "there is no such field"

Found = tuple[Field, str]
"""The way to a value, and the rule that it breaks."""


def queue_fields() -> list[Any]:
    """Return the fields that a queue may have in a file: those of the request, without its context and its id."""
    return [one for one in QUEUE.fields if not is_context(one) and one.name != "queue_id"]


def enum_names(field: Any) -> list[str]:
    """Return the values of an enum as a file says them, without the prefix that all of them have."""
    names = [one.name for one in field.enum_type.values if one.number]
    prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
    return [name.removeprefix(prefix) for name in names]


def read_policy(
    path: Path, scorers: Collection[str] | None = None
) -> tuple[ApplyPolicyRequest, list[YamlFileError]]:
    """Return what a file says as a request without context, and everything that is wrong with it.

    `scorers` are those installed; None: that is not known.

    Raises `YamlFileError` when the file cannot be read at all. The request means something only without errors.
    """
    file = YamlFile(path)
    reader = _Reader(file.content)
    request = reader.read()
    found = [*reader.faults]
    found += (fault for fault in _broken(request, reader) if not _follows(fault, reader.faults))
    sound = mended(request, [way for way, _ in found], reader.names) if found else request
    found += _unsound(sound, reader, scorers)
    found.sort(key=lambda fault: file.place(fault[0]))
    return request, [file.error(way, rule) for way, rule in found]


def policy_of(path: Path, scorers: Collection[str] | None = None) -> ApplyPolicy:
    """Return what a file says; raises `YamlFileError` that tells of everything that is wrong with it."""
    request, errors = read_policy(path, scorers)
    if errors:
        raise YamlFileError("\n".join(map(str, errors)))
    return COMMAND.decode(request)


def policy_queues(path: Path) -> dict[QueueId, ConfigureQueue]:
    """Return the queues of a file; raises `YamlFileError` that tells of everything that is wrong with it."""
    return {queue.queue_id: queue for queue in policy_of(path).queues}


def placed(path: Path, faults: Iterable[str]) -> list[str]:
    """Return faults that routing found in a request, each with its place in the file that the request came from."""
    file = YamlFile(path)
    reader = _Reader(file.content)
    reader.read()
    return [
        str(file.error(*_fault(Fault.read(told), reader))) if told.startswith(PLACED) else told
        for told in faults
    ]


class _Reader:
    """Fills a request from plain values, and notes what does not fit."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self.faults: list[Found] = []
        self.names: list[str] = []
        """Of the queues, in the order of the request."""
        self.skills: list[str | int] = []
        """Where the file declares each skill: by its name, or in a list."""

    def read(self) -> ApplyPolicyRequest:
        request = ApplyPolicyRequest()
        content = self._content
        if not isinstance(content, Mapping):
            self.faults.append(((), f"a mapping of {', '.join(SECTIONS)} is expected"))
            return request
        self._refuse_unknown((), content, SECTIONS)
        self._words(request, content)
        queues = content.get("queues", {})
        if not isinstance(queues, Mapping):
            self.faults.append((("queues",), "a mapping is expected: the queues by their names"))
            return request
        if "queues" not in content:
            self.faults.append(((), "queues is needed; `queues: {}` says that there are none"))
        for name, said in queues.items():
            self.names.append(name)
            message = request.queues.add()
            if not isinstance(name, str):
                self.faults.append(
                    (("queues", name), "the name of a queue is text: put it in quotes")
                )
                continue
            message.queue_id = name
            self._fill(message, ("queues", name), said, queue_fields())
        return request

    def _words(self, request: ApplyPolicyRequest, content: Mapping[Any, Any]) -> None:
        vocabulary = request.vocabulary
        skills = content.get("skills") or {}
        if isinstance(skills, list):
            skills = dict.fromkeys(skills) if all(isinstance(one, str) for one in skills) else None
        if not isinstance(skills, Mapping):
            rule = "a list of names, or a mapping of names to the highest level anybody has, is expected"
            self.faults.append((("skills",), rule))
            skills = {}
        self.skills = list(
            range(len(skills)) if isinstance(content.get("skills"), list) else skills
        )
        for name, level in skills.items():
            if level is not None and not _is_a(level, int):
                self.faults.append((("skills", name), "a whole number is expected, or nothing"))
                continue
            vocabulary.skills.add(skill=str(name), highest_level=level or 0)
        for section in ("languages", "groups"):
            words = content.get(section) or []
            if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
                self.faults.append(((section,), "a list of names is expected"))
                continue
            getattr(vocabulary, section).extend(words)

    def _fill(self, message: Message, way: Field, said: Any, fields: list[Any]) -> None:
        if not isinstance(said, Mapping):
            names = ", ".join(one.name for one in fields)
            self.faults.append((way, f"a mapping is expected, of {names}"))
            return
        self._refuse_unknown(way, said, [one.name for one in fields])
        for field in fields:
            if field.name in said:
                self._set(message, field, (*way, field.name), said[field.name])

    def _set(self, message: Message, field: Any, way: Field, value: Any) -> None:
        if not field.is_repeated:
            if field.message_type is not None:
                place = getattr(message, field.name)
                place.SetInParent()
                self._fill(place, way, value, list(field.message_type.fields))
            elif (one := self._scalar(field, way, value)) is not None:
                setattr(message, field.name, one)
            return
        if not isinstance(value, list):
            self.faults.append((way, "a list is expected"))
            return
        items = getattr(message, field.name)
        for index, item in enumerate(value):
            if field.message_type is not None:
                self._fill(items.add(), (*way, index), item, list(field.message_type.fields))
            elif (one := self._scalar(field, (*way, index), item)) is not None:
                items.append(one)

    def _scalar(self, field: Any, way: Field, value: Any) -> Any:
        if field.enum_type is not None:
            names = enum_names(field)
            if value in names:
                prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
                return field.enum_type.values_by_name[prefix + value].number
            self.faults.append((way, f"one of {', '.join(names)} is expected"))
            return None
        kind, words = TYPES[field.cpp_type]
        if not _is_a(value, kind):
            self.faults.append((way, f"{words} is expected"))
            return None
        if kind is int and not -(2**31) <= value < 2**31:
            self.faults.append((way, "the number is too large"))
            return None
        return value

    def _refuse_unknown(self, way: Field, said: Mapping[Any, Any], known: Any) -> None:
        for name in said:
            if name not in known:
                rule = f"{UNKNOWN}; there are: {', '.join(known)}"
                self.faults.append(((*way, name), rule))


def _is_a(value: Any, kind: type) -> bool:
    """Return whether a value is of a kind; true and false are no numbers."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _broken(request: ApplyPolicyRequest, reader: _Reader) -> Iterator[Found]:
    """Yield what breaks the rule of a field."""
    for one in violations(request):
        if not one.field.startswith("context"):
            yield _way_of(one.field, reader), BREAKS + one.rule


def _follows(fault: Found, known: Iterable[Found]) -> bool:
    """Return whether a fault only follows from one that is known: there, or within, or a field beside is misspelt."""
    way, rule = fault
    missing = rule == BREAKS + REQUIRED
    return any(
        way[: len(one)] == one or (missing and one[:-1] == way[:-1] and told.startswith(UNKNOWN))
        for one, told in known
    )


def _unsound(
    request: ApplyPolicyRequest, reader: _Reader, scorers: Collection[str] | None
) -> Iterator[Found]:
    """Yield what makes no sense to routing's core."""
    command = COMMAND.decode(request)
    _, faults = rules_and_faults(command.queues, command.vocabulary or Vocabulary(), 0, scorers)
    yield from (_fault(one, reader) for one in faults)
    yield from without_effect(command)


def _fault(one: Fault, reader: _Reader) -> Found:
    """Return a fault that routing found as the way in a file, and the rule; the file shows the value."""
    return _way_of(one.field, reader), one.rule


def _way_of(path: str, reader: _Reader) -> Field:
    """Return the way in a file to what a request calls, for example, `queues[3].steps[0].after_ms`."""
    way: list[str | int] = [
        int(step["index"]) if step["index"] else step["key"] for step in STEP.finditer(path)
    ]
    match way:
        case ["queues", int(index), *rest] if index < len(reader.names):
            return ("queues", reader.names[index], *(() if rest == ["queue_id"] else rest))
        case ["vocabulary", "skills", int(index), *_] if index < len(reader.skills):
            return ("skills", reader.skills[index])
        case ["vocabulary", *rest]:
            return tuple(rest)
        case _:
            return tuple(way)
