"""What the verbs of `huntgroup policy` print: a policy as a file, a plan as a page, versions as a table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import yaml
from google.protobuf.message import Message

from huntgroup.routing.v1.commands_pb2 import (
    GetPolicyResponse,
    PlanPolicyResponse,
    PolicyVersion,
    QueueChange,
)
from huntgroup_onebox.policy.policy_file import queue_fields
from huntgroup_onebox.policy.request_reader import enum_names

SIGNS: Final = {"MADE": "+", "CHANGED": "~", "BROUGHT_BACK": "+", "RETIRED": "-"}
SAID: Final = {
    "MADE": "is made",
    "CHANGED": "changes",
    "BROUGHT_BACK": "is brought back",
    "RETIRED": "retires: it takes no new contacts",
}


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


def plan_lines(plan: PlanPolicyResponse, *, applies_to_waiting: bool) -> Iterator[str]:
    """Yield what a plan says, for people."""
    if not plan.changes and not plan.vocabulary_changes:
        yield f"nothing changes: version {plan.version} says the same"
        return
    yield f"version {plan.version} -> {plan.version + 1}"
    if plan.vocabulary_changes:
        yield "~ the declared skills, languages or groups change"
    for change in plan.changes:
        yield f"{SIGNS[change.kind]} {change.queue_id} {SAID[change.kind]}"
        yield from (f"    {line}" for line in _field_lines(change))
        yield from (f"    {line}" for line in _waiting_lines(change, applies_to_waiting))
        if change.no_agent_for_new:
            yield "    warning: nobody signed on now could serve a contact that comes"


def _field_lines(change: QueueChange) -> Iterator[str]:
    if change.kind == "RETIRED":
        return
    for one in change.fields:
        if change.kind == "CHANGED":
            yield f"{one.field}: {one.before} -> {one.after}"
        elif one.after not in ('""', "[]", "0", "false"):
            yield f"{one.field}: {one.after}"


def _waiting_lines(change: QueueChange, applies_to_waiting: bool) -> Iterator[str]:  # noqa: FBT001
    here = change.waiting + change.ringing
    if not here:
        return
    who = f"{change.waiting:,} wait and {change.ringing:,} ring"
    if change.kind == "RETIRED":
        yield f"{who}: they are served by its last rules"
        return
    plan = {"required_skills", "requirement", "steps", "skip_unservable_steps"}
    if not plan & {one.field for one in change.fields} and not change.change_requirement:
        yield f"{who}: what is asked for them stays"
        return
    if not applies_to_waiting:
        yield f"{who}: they keep their requirement and steps"
        return
    yield (
        f"{who}: of those that wait {change.change_requirement:,} get another requirement, "
        f"{change.change_step:,} come to another step"
    )
    if change.become_unservable or change.become_servable:
        yield (
            f"{change.become_unservable:,} could be served by nobody signed on any more, "
            f"{change.become_servable:,} by somebody again"
        )


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
