"""What `huntgroup policy plan` prints: what is now and what becomes of it, a line for each change, in columns."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from huntgroup.routing.v1.commands_pb2 import PlanPolicyResponse, QueueChange

SIGNS: Final = {"MADE": "+", "CHANGED": "~", "BROUGHT_BACK": "+", "RETIRED": "-"}
SAID: Final = {
    "MADE": "is made",
    "CHANGED": "changes",
    "BROUGHT_BACK": "is brought back",
    "RETIRED": "retires: it takes no new contacts",
}
NOTHING: Final = "–"
NONE_SAID: Final[tuple[object, ...]] = ("", [], 0, False, None)
"""What a queue that is made need not be told to have."""
NOW_MAX: Final = 24
"""A longer value stands above what becomes of it, not beside it."""
OF_THE_PLAN: Final = frozenset(
    {
        "required_skills",
        "requirement",
        "steps",
        "skip_unservable_steps",
        "groups",
        "blend",
        "overflow",
    }
)
"""What those who wait keep of their queue, or follow."""


class _Change(NamedTuple):
    """One value that is another one then."""

    field: str
    now: str
    becomes: str


def plan_lines(plan: PlanPolicyResponse, *, applies_to_waiting: bool, width: int) -> Iterator[str]:
    """Yield what a plan says, for people; a change that is wider than `width` takes three lines."""
    if not plan.changes and not plan.vocabulary_changes:
        yield f"nothing changes: version {plan.version} says the same"
        return
    changes = [(one, list(_changes(one))) for one in plan.changes]
    each = [change for _, some in changes for change in some]
    named = max((len(one.field) for one in each), default=0)
    first = max([3, *(len(one.now) for one in each if len(one.now) <= NOW_MAX)])
    title = f"version {plan.version} -> {plan.version + 1}"
    yield f"{title:<{named + 6}}{'NOW':<{first}}  BECOMES" if each else title
    if plan.vocabulary_changes:
        yield "~ the declared skills, languages or groups change"
    for queue, some in changes:
        yield f"{SIGNS[queue.kind]} {queue.queue_id} {SAID[queue.kind]}"
        for one in some:
            line = f"    {one.field:<{named}}  {one.now:<{first}}  {one.becomes}"
            if len(line) <= width and len(one.now) <= first:
                yield line
            else:
                yield from (f"    {one.field}", f"      now      {one.now}")
                yield f"      becomes  {one.becomes}"
        yield from (f"    {line}" for line in _waiting_lines(queue, applies_to_waiting))
        if queue.no_agent_for_new:
            yield "    warning: nobody signed on now could serve a contact that comes"


def _changes(queue: QueueChange) -> Iterator[_Change]:
    """Yield each value of a queue that changes; of one that is made, those that say something."""
    if queue.kind == "RETIRED":
        return
    for one in queue.fields:
        after = json.loads(one.after or "null")
        if queue.kind == "CHANGED":
            yield from _between(one.field, json.loads(one.before or "null"), after)
        elif after not in NONE_SAID:
            yield _Change(one.field, NOTHING, _said(after))


def _between(field: str, before: Any, after: Any) -> Iterator[_Change]:
    """Yield what changes within a value, down to where something is one value, or is or was not there."""
    if before == after:
        return
    match before, after:
        case dict(), dict():
            for name in (*before, *(one for one in after if one not in before)):
                yield from _between(f"{field}.{name}", before.get(name), after.get(name))
        case list(), list() if any(isinstance(one, dict) for one in (*before, *after)):
            for index in range(max(len(before), len(after))):
                pair = (some[index] if index < len(some) else None for some in (before, after))
                yield from _between(f"{field}[{index}]", *pair)
        case _:
            yield _Change(field, _said(before), _said(after))


def _said(value: Any) -> str:
    """Return a value as people write it, in one line."""
    if value in (None, "", [], {}):
        return NOTHING
    match value:
        case str():
            return " ".join(value.split())
        case list() if not any(isinstance(one, dict | list) for one in value):
            return ", ".join(map(str, value))
        case _:
            return json.dumps(value, ensure_ascii=False)


def _waiting_lines(change: QueueChange, applies_to_waiting: bool) -> Iterator[str]:  # noqa: FBT001
    here = change.waiting + change.ringing
    if not here:
        return
    who = f"{change.waiting:,} wait and {change.ringing:,} ring"
    if change.kind == "RETIRED":
        yield f"{who}: they are served by its last rules"
        return
    follow = change.change_requirement or change.change_leaving
    if not follow and OF_THE_PLAN.isdisjoint(one.field for one in change.fields):
        yield f"{who}: what is asked for them stays, and when they leave"
        return
    if not (applies_to_waiting or follow):  # they do follow where a policy sends a group home
        yield f"{who}: they keep what is asked for them, and when they leave"
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
    if change.change_leaving:
        yield (
            f"{change.change_leaving:,} leave by other rules, {change.leave_at_once:,} of them at once: "
            "they have waited as long as these let them"
        )
