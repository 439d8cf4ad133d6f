"""What follows from a change of a domain's whole policy: all of it in one decision, or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from functools import partial

from msgspec import Struct
from msgspec.structs import astuple, replace

from huntgroup_routing.core.messages import (
    ApplyPolicy,
    Event,
    PolicyApplied,
    QueueConfigured,
    QueueRetired,
    Reason,
    Refused,
    RollBackPolicy,
)
from huntgroup_routing.core.overflow import channel_complaints
from huntgroup_routing.core.policy import is_same, scorer_missing
from huntgroup_routing.core.queues import sends_home
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import (
    POLICY_BYTES_MAX,
    POLICY_CHANGES_MAX,
    QUEUES_MAX,
    QueueId,
    Vocabulary,
)

FAULTS_TOLD_MAX = 20
NUMBER_BYTES = 8
"""A number or a sign on the wire, at most, with what names it."""
EVENT_BYTES = 160
"""What a record adds to each event."""


def apply_policy(state: State, command: ApplyPolicy, at_ms: int) -> tuple[Event, ...] | Refused:
    """Return the change to the queues given; nothing when all is so already."""
    stale = _stale(state, command.base_version)
    if stale is not None:
        return stale
    vocabulary = command.vocabulary or Vocabulary()
    rules, faults = rules_and_faults(command.queues, vocabulary, at_ms, state.scorers)
    if faults:
        more = (
            [f"and {len(faults) - FAULTS_TOLD_MAX} more"] if len(faults) > FAULTS_TOLD_MAX else []
        )
        told = "\n".join((*map(str, faults[:FAULTS_TOLD_MAX]), *more))
        return Refused(reason=Reason.POLICY_INVALID, detail=told)
    return _changed(state, rules, vocabulary, command, at_ms)


def roll_back_policy(
    state: State, command: RollBackPolicy, at_ms: int
) -> tuple[Event, ...] | Refused:
    """Return the change to what the policy was; nothing when it is so already."""
    stale = _stale(state, command.base_version)
    if stale is not None:
        return stale
    found = state.versions.at(command.version, state.policy())
    if found is None:
        return unknown_version(state, command.version)
    present = state.policy()
    for queue_id, rules in sorted(found[0].items()):
        missing = scorer_missing(rules, state.scorers)
        if missing and not (queue_id in present and is_same(present[queue_id], rules)):
            told = f"version {command.version}, queue_id {queue_id!r}: {missing}"
            return Refused(reason=Reason.SCORER_UNKNOWN, detail=told)
    channels = {queue_id: rules.only_channel for queue_id, rules in found[0].items()}
    for queue_id, rules in sorted(found[0].items()):
        for text in channel_complaints(rules.only_channel, rules.overflow, channels):
            told = f"version {command.version}, queue_id {queue_id!r}: {text}"
            return Refused(reason=Reason.OVERFLOW_INVALID, detail=told)
    return _changed(state, *found, command, at_ms)


def unknown_version(state: State, version: int) -> Refused:
    """Return the refusal that says which versions there are."""
    oldest, newest = max(state.versions.oldest, 1), state.versions.version
    known = f"{oldest} to {newest} are" if newest else "none is, for no queue was ever configured"
    return Refused(
        reason=Reason.POLICY_VERSION_UNKNOWN,
        detail=f"version {version} is not remembered: {known}",
    )


def _stale(state: State, base_version: int | None) -> Refused | None:
    if base_version is None or base_version == state.versions.version:
        return None
    return Refused(
        reason=Reason.POLICY_CHANGED,
        detail=f"base_version {base_version} is not the present one, which is {state.versions.version}",
    )


def _changed(
    state: State,
    wanted: Mapping[QueueId, QueueConfigured],
    vocabulary: Vocabulary,
    command: ApplyPolicy | RollBackPolicy,
    at_ms: int,
) -> tuple[Event, ...] | Refused:
    version, present = state.versions.version + 1, state.policy()
    retired = [
        QueueRetired(at_ms=at_ms, queue_id=queue_id, domain_version=version)
        for queue_id in sorted(present.keys() - wanted.keys())
    ]
    configured = [
        replace(
            wanted[queue_id],
            at_ms=at_ms,
            domain_version=version,
            applies_to_waiting=command.applies_to_waiting
            or (queue_id in state.queues and sends_home(state.queues[queue_id], wanted[queue_id])),
        )
        for queue_id in sorted(wanted)
        if queue_id not in present
        or not is_same(present[queue_id], wanted[queue_id])
        or (command.applies_to_waiting and state.queues[queue_id].is_followed_in_part)
    ]
    if not retired and not configured and vocabulary == state.versions.vocabulary:
        return ()
    applied = PolicyApplied(
        at_ms=at_ms,
        version=version,
        author=command.author,
        reason=command.reason,
        rolled_back_to=command.version if isinstance(command, RollBackPolicy) else 0,
        vocabulary=vocabulary,
        queues_configured=len(configured),
        queues_retired=len(retired),
    )
    events: tuple[Event, ...] = (applied, *retired, *configured)
    return _too_much(state, wanted, events) or events


def _too_much(
    state: State, wanted: Mapping[QueueId, QueueConfigured], events: tuple[Event, ...]
) -> Refused | None:
    staying = sum(
        bool(queue.waiting or queue.ringing)
        for queue_id, queue in state.queues.items()
        if queue_id not in wanted
    )
    if len(wanted) + staying > QUEUES_MAX:
        told = f"queues: {len(wanted)}, and {staying} that leave and have contacts, are more than {QUEUES_MAX}"
        return Refused(reason=Reason.TOO_MANY_QUEUES, detail=told)
    if len(events) - 1 > POLICY_CHANGES_MAX:
        told = f"queues: {len(events) - 1} would change, at most {POLICY_CHANGES_MAX} can at once"
        return Refused(reason=Reason.POLICY_TOO_LARGE, detail=f"{told}: apply it in parts")
    size = sum(EVENT_BYTES + _bytes_of(event) for event in events)
    if size > POLICY_BYTES_MAX:
        told = f"queues: the changes have about {size} bytes, at most {POLICY_BYTES_MAX} can be at once"
        return Refused(reason=Reason.POLICY_TOO_LARGE, detail=f"{told}: apply it in parts")
    return None


def _bytes_of(value: object) -> int:
    """Return how long a value is in a record, at most; what is not said takes nothing."""
    if not value:
        return 0
    match value:
        case str():
            return len(value.encode()) + NUMBER_BYTES
        case tuple():
            return sum(map(_bytes_of, value))
        case Struct():
            return NUMBER_BYTES + _said_bytes(astuple(value))
        case _ if is_dataclass(value):
            return NUMBER_BYTES + _said_bytes(
                map(partial(getattr, value), value.__dataclass_fields__)
            )
        case _:
            return NUMBER_BYTES


def _said_bytes(values: Iterable[object]) -> int:
    """Return how long the fields of one value are; most say nothing, or a number."""
    total = 0
    for one in values:
        if one:
            kind = type(one)
            total += NUMBER_BYTES if kind is int or kind is bool else _bytes_of(one)
    return total
