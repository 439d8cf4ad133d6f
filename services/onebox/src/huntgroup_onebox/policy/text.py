"""What the verbs of `huntgroup policy` print: a policy as a file, versions as a table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import yaml
from google.protobuf.message import Message

from huntgroup.routing.v1.commands_pb2 import GetPolicyResponse, PolicyVersion
from huntgroup_onebox.policy.policy_file import queue_fields
from huntgroup_onebox.policy.request_reader import enum_names


def file_values(policy: GetPolicyResponse) -> dict[str, Any]:
    """Return a policy as a file says it."""
    vocabulary = policy.vocabulary
    said: dict[str, Any] = {}
    if vocabulary.skills:
        said["skills"] = {one.skill: one.highest_level or None for one in vocabulary.skills}
    if vocabulary.languages:
        said["languages"] = list(vocabulary.languages)
    if vocabulary.groups:
        said["groups"] = list(vocabulary.groups)
    said["queues"] = {queue.queue_id: plain(queue, queue_fields()) for queue in policy.queues}
    return said


def file_text(policy: GetPolicyResponse) -> str:
    """Return a policy as a file."""
    text: str = yaml.safe_dump(file_values(policy), sort_keys=False, allow_unicode=True, width=118)
    return text.replace(": null\n", ":\n")


def plain(message: Message, fields: list[Any]) -> dict[str, Any]:
    """Return the fields of a message that are there, as a file says them."""
    said = {}
    for field in fields:
        value = getattr(message, field.name)
        if field.has_presence and not message.HasField(field.name):
            continue
        if field.is_repeated:
            if len(value):
                said[field.name] = [_value(field, one) for one in value]
        elif value or field.has_presence:
            said[field.name] = _value(field, value)
    return said


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        return plain(value, list(field.message_type.fields))
    if field.enum_type is not None:
        known = [one.number for one in field.enum_type.values if one.number]
        return enum_names(field)[known.index(value)] if value in known else value
    return value


def version_lines(versions: list[PolicyVersion]) -> Iterator[str]:
    """Yield a line for each version, the newest first, under a line that says what the columns are."""
    if versions:
        yield f"{'VERSION':>7}  {'SINCE':<20}  {'BY':<16}  WHAT IT CHANGED, AND WHY"
    for one in versions:
        told = f"{one.version:>7}  {_time(one.at_ms)}  {one.author or '-':<16}  "
        queues = ", ".join(one.queue_ids[:3]) + (", …" if one.queues > 3 else "")  # noqa: PLR2004
        noun = "queue" if one.queues == 1 else "queues"
        told += f"{one.queues} {noun}: {queues}" if one.queues else "declared words alone"
        if one.rolled_back_to:
            told += f"; back to {one.rolled_back_to}"
        yield told + (f"; {one.reason}" if one.reason else "")


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1_000, UTC):%Y-%m-%d %H:%M:%S}Z"
