"""The queues of a scenario: from its own words or a policy file, as the commands that make them."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from huntgroup_onebox.policy.policy_file import policy_of
from huntgroup_onebox.simulate.scenario import AgentGroup, Queue
from huntgroup_routing.core.messages import ConfigureQueue, ObserveAgentSignedOn
from huntgroup_routing.core.overflow import targets
from huntgroup_routing.core.values import Channel, Vocabulary
from huntgroup_routing.wiring import installed_scorers

C = TypeVar("C", ConfigureQueue, ObserveAgentSignedOn)

AGENT_FIELDS: Final = ("agent_id", "skills", "capacity", "capacity_units")
QUEUE_FIELDS: Final = (
    *("queue_id", "channel", "required_skills", "ring_timeout_ms", "wrap_up_timeout_ms"),
    *("service_level_threshold_ms", "waiting_max"),
)
"""What a scenario says in words of its own; everything else comes from `policy` and `profile`."""


def from_policy(path: Path) -> tuple[dict[str, Queue], Vocabulary]:
    """Return the queues of a policy file and its words; raises `YamlFileError` that tells of all that is wrong."""
    policy = policy_of(path, installed_scorers())
    queues: dict[str, Queue] = {one.queue_id: _said(one) for one in policy.queues}
    return queues, policy.vocabulary or Vocabulary()


def _said(made: ConfigureQueue) -> Queue:
    """Return a queue in the words of a scenario."""
    more = {
        one.name: getattr(made, one.name)
        for one in fields(ConfigureQueue)
        if one.name not in QUEUE_FIELDS and getattr(made, one.name) != one.default
    }
    return Queue(
        channel=made.channel,
        required_skills=made.required_skills,
        ring_timeout_s=made.ring_timeout_ms / 1_000,
        service_level_threshold_s=made.service_level_threshold_ms / 1_000,
        waiting_max=made.waiting_max,
        policy=msgspec.to_builtins(more),
    )


def commands(queues: Mapping[str, Queue]) -> list[ConfigureQueue]:
    """Return the commands that make the queues, a queue after those that it sends contacts to.

    Raises `ValueError` when routing knows no such policy.
    """
    made = {name: configure(name, queue) for name, queue in queues.items()}
    ordered: dict[str, ConfigureQueue] = {}
    begun: set[str] = set()
    todo = list(reversed(made))
    while todo:
        name = todo[-1]
        before = [one for one in targets(made[name].overflow) if one in made and one not in begun]
        begun.add(name)
        if before:
            todo += before
        else:
            ordered.setdefault(todo.pop(), made[name])
    return list(ordered.values())


def configure(name: str, queue: Queue) -> ConfigureQueue:
    """Return the command that makes the queue; raises `ValueError` when routing knows no such policy."""
    return _command(
        ConfigureQueue,
        QUEUE_FIELDS,
        {
            "queue_id": name,
            "channel": queue.channel,
            "required_skills": queue.required_skills,
            "ring_timeout_ms": round(queue.ring_timeout_s * 1_000),
            "wrap_up_timeout_ms": 0,
            "service_level_threshold_ms": round(queue.service_level_threshold_s * 1_000),
            "waiting_max": queue.waiting_max,
        },
        queue.policy,
    )


def sign_on(agent_id: str, group: AgentGroup) -> ObserveAgentSignedOn:
    """Return the fact that an agent of the group came; raises `ValueError` when routing knows no such profile."""
    said = {
        "agent_id": agent_id,
        "skills": group.skills,
        "capacity": [_capacity(group, channel) for channel in group.slots],
        "capacity_units": group.capacity_units,
    }
    return _command(ObserveAgentSignedOn, AGENT_FIELDS, said, group.profile)


def _capacity(group: AgentGroup, channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel,
        "slots": group.slots[channel],
        "cost": group.costs.get(channel, 0),
        "interrupts": group.interrupts.get(channel, ()),
    }


def _command(made: type[C], own: tuple[str, ...], said: dict[str, Any], more: dict[str, Any]) -> C:
    known = [one.name for one in fields(made) if one.name not in own]
    for name in more:
        if name not in known:
            raise ValueError(
                f"{name}: may not stand here; these may: {', '.join(known) or 'none yet'}"
            )
    try:
        return msgspec.convert({**more, **said}, made)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
