"""The queues of a scenario: from its own words or a policy file, as the commands that make them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from huntgroup.routing.v1.commands_pb2 import ConfigureQueueRequest
from huntgroup_contracts.codec import CommandCodec
from huntgroup_onebox.policy.mending import TIED
from huntgroup_onebox.policy.policy_file import COMMAND as POLICY
from huntgroup_onebox.policy.policy_file import queue_fields, read_policy
from huntgroup_onebox.policy.request_reader import RequestReader, broken, steps_of
from huntgroup_onebox.policy.text import plain
from huntgroup_onebox.simulate.scenario import AgentGroup, Queue
from huntgroup_onebox.yaml_file import Field, Found, together
from huntgroup_routing.core.messages import ConfigureQueue, ObserveAgentSignedOn
from huntgroup_routing.core.overflow import targets
from huntgroup_routing.core.values import Channel, QueueId, Skill, Vocabulary
from huntgroup_routing.wiring import installed_scorers

QUEUE_FIELDS: Final = (
    *("queue_id", "channel", "required_skills", "ring_timeout_ms", "wrap_up_timeout_ms"),
    *("service_level_threshold_ms", "waiting_max"),
)
"""What a scenario says in words of its own; everything else comes from `policy`."""
WRITTEN: Final = {
    "ring_timeout_ms": "ring_timeout_s",
    "service_level_threshold_ms": "service_level_threshold_s",
}
"""What is called otherwise in a scenario than in a request."""
MORE: Final = [one for one in queue_fields() if one.name not in QUEUE_FIELDS]
QUEUE: Final = CommandCodec(ConfigureQueueRequest, ConfigureQueue)


def from_policy(path: Path) -> tuple[dict[str, Queue], Vocabulary]:
    """Return the queues of a policy file and its words; raises `YamlFileError` that tells of all that is wrong."""
    request, errors = read_policy(path, installed_scorers())
    if errors:
        raise together(errors)
    policy = POLICY.decode(request)
    pairs = zip(policy.queues, request.queues, strict=True)
    queues: dict[str, Queue] = {made.queue_id: _said(made, message) for made, message in pairs}
    return queues, policy.vocabulary or Vocabulary()


def _said(made: ConfigureQueue, message: ConfigureQueueRequest) -> Queue:
    """Return a queue in the words of a scenario."""
    return Queue(
        channel=made.channel,
        required_skills=made.required_skills,
        ring_timeout_s=made.ring_timeout_ms / 1_000,
        service_level_threshold_s=made.service_level_threshold_ms / 1_000,
        waiting_max=made.waiting_max,
        policy=plain(message, MORE),
    )


def policy_faults(name: str, queue: Queue) -> list[Found]:
    """Return what in the `policy` of a queue breaks the rules of the request's fields, each with its way."""
    request, faults = _request(name, queue)
    return faults + broken(request, lambda path: written_at(name, steps_of(path)), faults)


def without(queue: Queue, faults: Iterable[Found]) -> Queue:
    """Return a queue without the fields of `policy` that are faulty, and without those that depend on them."""
    wrong = {str(way[3]) for way, _ in faults}
    wrong |= {tied for name in wrong for tied in TIED.get(name, ())}
    rest = {name: value for name, value in queue.policy.items() if name not in wrong}
    return msgspec.structs.replace(queue, policy=rest)


def _request(name: str, queue: Queue) -> tuple[ConfigureQueueRequest, list[Found]]:
    """Return what `policy` says as a request, and what of it does not fit; the rest of the request means nothing."""
    reader, request = RequestReader(), ConfigureQueueRequest(queue_id="any")
    request.ring_timeout_ms = request.service_level_threshold_ms = 1_000
    reader.fill(request, ("queues", name, "policy"), queue.policy, MORE)
    return request, reader.faults


def written_at(name: str, way: Field) -> Field:
    """Return where a scenario says what a queue's request has at `way`."""
    match way:
        case () | ("queue_id",):
            return ("queues", name)
        case (str(field), *rest) if field in QUEUE_FIELDS:
            return ("queues", name, WRITTEN.get(field, field), *rest)
        case _:
            return ("queues", name, "policy", *way)


def commands(queues: Mapping[str, Queue]) -> list[ConfigureQueue]:
    """Return the commands that make the queues, a queue after those that it sends contacts to."""
    made = {name: _configure(name, queue) for name, queue in queues.items()}
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


def _configure(name: str, queue: Queue) -> ConfigureQueue:
    """Return the command that makes a queue without faults."""
    request, _ = _request(name, queue)
    return replace(
        QUEUE.decode(request),
        queue_id=QueueId(name),
        channel=queue.channel,
        required_skills=tuple(map(Skill, queue.required_skills)),
        ring_timeout_ms=round(queue.ring_timeout_s * 1_000),
        service_level_threshold_ms=round(queue.service_level_threshold_s * 1_000),
        waiting_max=queue.waiting_max,
    )


def sign_on(agent_id: str, group: AgentGroup) -> ObserveAgentSignedOn:
    """Return the fact that an agent of the group came; raises `ValueError` when routing knows no such profile."""
    said = {
        **group.profile,
        "agent_id": agent_id,
        "skills": group.skills,
        "capacity": [_capacity(group, channel) for channel in group.slots],
        "capacity_units": group.capacity_units,
    }
    return msgspec.convert(said, ObserveAgentSignedOn)


def _capacity(group: AgentGroup, channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel,
        "slots": group.slots[channel],
        "cost": group.costs.get(channel, 0),
        "interrupts": group.interrupts.get(channel, ()),
    }
