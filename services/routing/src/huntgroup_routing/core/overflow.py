"""The rules by which a queue does not take a contact, or lets one go: their words, and what is wrong with them.

A queue's rules are data of its plan; `core/leaving.py` carries them out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    QueueId,
    Skill,
    StepTrigger,
)

NO_QUEUE: Final = QueueId("")
HOPS_MAX: Final = 10
"""A contact goes through so many queues at most by rules alone, however they are chained."""
KEPT_FOR_MS: Final = 30_000
"""After so long it is tried again to send on a contact that no queue had room for."""


class OverflowTrigger(StrEnum):
    """What makes a queue not take a contact that comes, or let go one that waits."""

    QUEUE_LENGTH = "QUEUE_LENGTH"
    LONGEST_WAIT = "LONGEST_WAIT"
    ESTIMATED_WAIT = "ESTIMATED_WAIT"
    NOBODY_ON_DUTY = "NOBODY_ON_DUTY"
    CLOSED = "CLOSED"
    WAITED = "WAITED"
    EXIT_KEY = "EXIT_KEY"
    WRONG_CHANNEL = "WRONG_CHANNEL"
    """No rule: why a queue for another channel hands back."""


class OverflowAction(StrEnum):
    """What becomes of it then."""

    HAND_BACK = "HAND_BACK"
    QUEUE = "QUEUE"
    ENDPOINT = "ENDPOINT"
    VOICEMAIL = "VOICEMAIL"
    DISCONNECT = "DISCONNECT"


WITH_LIMIT: Final = frozenset(
    {
        OverflowTrigger.QUEUE_LENGTH,
        OverflowTrigger.LONGEST_WAIT,
        OverflowTrigger.ESTIMATED_WAIT,
        OverflowTrigger.WAITED,
    }
)
WITH_ENDPOINT: Final = frozenset({OverflowAction.ENDPOINT, OverflowAction.VOICEMAIL})


@dataclass(frozen=True, slots=True, kw_only=True)
class OverflowRule:
    """When, and what then; `limit` counts contacts or milliseconds, as the trigger says."""

    trigger: OverflowTrigger
    limit: int = 0
    key: str = ""
    action: OverflowAction
    queue_id: QueueId = NO_QUEUE
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """Which rule sent a contact away, and the value that it compared."""

    trigger: OverflowTrigger
    action: OverflowAction
    key: str
    limit: int
    value: int
    endpoint: str
    policy_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitQueue:
    """The customer leaves the queue by key."""

    contact_id: ContactId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveContact:
    """Let a contact stand in another queue."""

    contact_id: ContactId
    queue_id: QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class SetContactPriority:
    """Let a contact stand by another priority."""

    contact_id: ContactId
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQueuePriority:
    """Let all contacts that stand in a queue now stand by another priority."""

    queue_id: QueueId
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReprioritized:
    """Contacts of a queue are about to stand by another priority, each at its age: one event tells of each."""

    at_ms: int
    queue_id: QueueId
    priority: int
    contacts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactReprioritized:
    """A contact stands by another priority from now on, at its age."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMoved:
    """A contact stands in another queue from now on, by its priority and its age."""

    at_ms: int
    contact_id: ContactId
    from_queue_id: QueueId
    queue_id: QueueId
    priority: int
    enqueued_at_ms: int
    step: int
    required_skills: tuple[Skill, ...]
    requirement: str
    stay: int
    overflow: Overflow | None = None
    priority_point_ms: int = 0
    delays_over: int = 0
    groups: tuple[str, ...] = ()
    awaited_agents: tuple[AgentId, ...] = ()
    awaited_until_ms: int = 0
    step_trigger: StepTrigger | None = None
    """What brought it to its step there; None: time alone, or it came to none."""
    step_limit: int = 0
    step_value: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactKept:
    """No queue that its rule names had room for a contact; it waits on."""

    at_ms: int
    contact_id: ContactId
    queue_id: QueueId
    trigger: OverflowTrigger
    next_at_ms: int


def complaints(
    queue_id: QueueId,
    rules: Sequence[OverflowRule],
    others: Mapping[QueueId, Sequence[OverflowRule]],
) -> Iterator[str]:
    """Yield what is wrong with the rules of a queue, beside the rules of all queues that are there."""
    seen: dict[tuple[OverflowTrigger, str], int] = {}
    for number, rule in enumerate(rules):
        where = f"overflow[{number}]"
        first = seen.setdefault((rule.trigger, rule.key), number)
        if first != number:
            yield f"{where} has the trigger of overflow[{first}], {rule.trigger} {rule.key}".rstrip()
        yield from (f"{where}.{text}" for text in _at_fault(rule))
        if rule.action is OverflowAction.QUEUE and rule.queue_id == queue_id:
            yield f"{where}.queue_id {rule.queue_id!r} is the queue itself"
        elif rule.action is OverflowAction.QUEUE and rule.queue_id and rule.queue_id not in others:
            yield f"{where}.queue_id {rule.queue_id!r} names no queue of this domain"


def channel_complaints(
    channel: Channel | None,
    rules: Sequence[OverflowRule],
    channels: Mapping[QueueId, Channel | None],
) -> Iterator[str]:
    """Yield which rules of a queue for a channel send contacts to queues that take another one alone."""
    for number, rule in enumerate(rules):
        there = channels.get(rule.queue_id) if rule.action is OverflowAction.QUEUE else None
        if there is not None and channel is not None and there is not channel:
            yield f"overflow[{number}].queue_id {rule.queue_id!r} takes {there} alone, and this queue {channel}"


def _at_fault(rule: OverflowRule) -> Iterator[str]:
    """Yield the fields of a rule that do not belong to it, or are missing."""
    if rule.trigger is OverflowTrigger.WRONG_CHANNEL:
        yield f"trigger {rule.trigger} is no rule: who comes on another channel is refused or handed back"
        return
    wants = (
        ("limit", rule.limit, rule.trigger in WITH_LIMIT, rule.trigger),
        ("key", rule.key, rule.trigger is OverflowTrigger.EXIT_KEY, rule.trigger),
        ("queue_id", rule.queue_id, rule.action is OverflowAction.QUEUE, rule.action),
        ("endpoint", rule.endpoint, rule.action in WITH_ENDPOINT, rule.action),
    )
    for name, value, wanted, by in wants:
        if wanted and not value:
            yield f"{name} is missing: {by} needs it"
        elif value and not wanted:
            yield f"{name} {value!r} says nothing: {by} does not use it"


def targets(rules: Sequence[OverflowRule]) -> list[QueueId]:
    """Return the queues that rules name, each once, in their order."""
    named = (rule.queue_id for rule in rules if rule.action is OverflowAction.QUEUE)
    return list(dict.fromkeys(named))


def may_be_endless(others: Mapping[QueueId, Sequence[OverflowRule]]) -> bool:
    """Return whether any way among queues comes back to where it was, or is too long; each is looked at a few times."""
    after = {queue_id: targets(rules) for queue_id, rules in others.items() if rules}
    here = set(after)
    for _ in range(HOPS_MAX + 1):
        here = {one for queue_id in here for one in after.get(queue_id, ())}
        if not here:
            return False
    return True


def endless_way(
    queue_id: QueueId,
    rules: Sequence[OverflowRule],
    others: Mapping[QueueId, Sequence[OverflowRule]],
) -> tuple[QueueId, ...]:
    """Return the first way from a queue that comes back to it, or that is too long; nothing when there is none."""
    ways: list[tuple[QueueId, ...]] = [(queue_id, one) for one in targets(rules)]
    lengths: dict[QueueId, int] = {}
    while ways:
        way = ways.pop()
        circle = way[-1] == queue_id and len(way) > 2  # noqa: PLR2004 - the queue itself is told by name
        if circle or len(way) > HOPS_MAX + 1:
            return way
        if lengths.get(way[-1], 0) >= len(way):
            continue
        lengths[way[-1]] = len(way)
        ways += [(*way, one) for one in targets(others.get(way[-1], ())) if one not in way[1:]]
    return ()


def endless_way_through(
    queue_id: QueueId,
    rules: Sequence[OverflowRule],
    others: Mapping[QueueId, Sequence[OverflowRule]],
) -> tuple[QueueId, ...]:
    """Return a way from a queue, or from others through it, that is endless; nothing when there is none."""
    after = {**others, queue_id: rules}
    if not may_be_endless(after):
        return ()
    ways = (endless_way(one, after[one], after) for one in (queue_id, *others))
    return next((way for way in ways if queue_id in way), ())


def endless_text(way: Sequence[QueueId]) -> str:
    """Return what is wrong with such a way."""
    if way[0] == way[-1]:
        return f"overflow goes in a circle: {' to '.join(way)}"
    return f"overflow goes through more than {HOPS_MAX} queues: {' to '.join(way)}"
