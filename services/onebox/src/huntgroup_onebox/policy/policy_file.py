"""A policy file: queues by name, with the fields of routing's `ConfigureQueue`, and the words they may use.

What a queue may say comes from the .proto, so a field that is added there is part of the format at once.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from huntgroup.routing.v1.commands_pb2 import ApplyPolicyRequest, ConfigureQueueRequest
from huntgroup_contracts.codec import CommandCodec
from huntgroup_contracts.mapping import is_context
from huntgroup_onebox.policy.mending import mended
from huntgroup_onebox.policy.request_reader import RequestReader, broken, is_a, steps_of
from huntgroup_onebox.policy.without_effect import without_effect
from huntgroup_onebox.yaml_file import Field, Found, YamlFile, YamlFileError, together
from huntgroup_routing.core.faults import Fault
from huntgroup_routing.core.messages import ApplyPolicy, ConfigureQueue
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.values import QueueId, Vocabulary

SECTIONS: Final = ("skills", "languages", "groups", "queues")
QUEUE: Final = ConfigureQueueRequest.DESCRIPTOR
COMMAND: Final = CommandCodec(ApplyPolicyRequest, ApplyPolicy)
PLACED: Final = ("queues", "vocabulary")
"""What a sentence of routing begins with when it names a field."""


def queue_fields() -> list[Any]:
    """Return the fields that a queue may have in a file: those of the request, without its context and its id."""
    return [one for one in QUEUE.fields if not is_context(one) and one.name != "queue_id"]


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
    found += broken(request, lambda path: _way_of(path, reader), reader.faults)
    sound = mended(request, [way for way, _ in found], reader.names) if found else request
    found += _unsound(sound, reader, scorers)
    return request, file.errors(found)


def policy_queues(path: Path) -> dict[QueueId, ConfigureQueue]:
    """Return the queues of a file; raises `YamlFileError` that tells of everything that is wrong with it."""
    request, errors = read_policy(path)
    if errors:
        raise together(errors)
    return {queue.queue_id: queue for queue in COMMAND.decode(request).queues}


def placed(path: Path, faults: Iterable[str]) -> list[str]:
    """Return faults that routing found in a request, each with its place in the file that the request came from."""
    file = YamlFile(path)
    reader = _Reader(file.content)
    reader.read()
    return [
        str(file.error(*_fault(Fault.read(told), reader))) if told.startswith(PLACED) else told
        for told in faults
    ]


class _Reader(RequestReader):
    """Fills the request of a policy."""

    def __init__(self, content: Any) -> None:
        super().__init__()
        self._content = content
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
        self.refuse_unknown((), content, SECTIONS)
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
            self.fill(message, ("queues", name), said, queue_fields())
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
            if level is not None and not is_a(level, int):
                self.faults.append((("skills", name), "a whole number is expected, or nothing"))
                continue
            vocabulary.skills.add(skill=str(name), highest_level=level or 0)
        for section in ("languages", "groups"):
            words = content.get(section) or []
            if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
                self.faults.append(((section,), "a list of names is expected"))
                continue
            getattr(vocabulary, section).extend(words)


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
    way = steps_of(path)
    match way:
        case ["queues", int(index), *rest] if index < len(reader.names):
            return ("queues", reader.names[index], *(() if rest == ["queue_id"] else rest))
        case ["vocabulary", "skills", int(index), *_] if index < len(reader.skills):
            return ("skills", reader.skills[index])
        case ["vocabulary", *rest]:
            return tuple(rest)
        case _:
            return way
