"""A scenario from its file: typed, and checked as a whole, so that a simulation never stops in its middle."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from huntgroup_onebox.simulate.scenario import (
    AGENTS_MAX,
    AgentGroup,
    ContactClass,
    FromJournal,
    Poisson,
    Queue,
    Scenario,
)
from huntgroup_onebox.yaml_file import Field, YamlFile
from huntgroup_routing.core.messages import ConfigureQueue, ObserveAgentSignedOn
from huntgroup_routing.core.values import Channel

C = TypeVar("C", ConfigureQueue, ObserveAgentSignedOn)

AGENT_FIELDS: Final = ("agent_id", "skills", "capacity")
QUEUE_FIELDS: Final = (
    *("queue_id", "channel", "required_skills", "ring_timeout_ms", "wrap_up_timeout_ms"),
    *("service_level_threshold_ms", "waiting_max"),
)
"""What a scenario says in words of its own; everything else comes from `policy` and `profile`."""


def read_scenario(path: Path) -> Scenario:
    """Return the scenario; raises `YamlFileError` for the first thing that is wrong with it."""
    file = YamlFile(path)
    scenario = file.to(Scenario)
    for field, rule in _faults(scenario):
        raise file.error(field, rule)
    return scenario


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
    capacity = [{"channel": channel, "slots": slots} for channel, slots in group.slots.items()]
    return _command(
        ObserveAgentSignedOn,
        AGENT_FIELDS,
        {"agent_id": agent_id, "skills": group.skills, "capacity": capacity},
        group.profile,
    )


def _command(made: type[C], own: tuple[str, ...], said: dict[str, Any], more: dict[str, Any]) -> C:
    known = [one.name for one in fields(made) if one.name not in own]
    for name in more:
        if name not in known:
            there = f"one of: {', '.join(known)}" if known else "none yet"
            raise ValueError(f"{name}: routing's {made.__name__} has no such field ({there})")
    try:
        return msgspec.convert({**more, **said}, made)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _faults(scenario: Scenario) -> Iterator[tuple[Field, str]]:
    yield from _run_faults(scenario)
    for name, queue in scenario.queues.items():
        try:
            configure(name, queue)
        except ValueError as error:
            yield ("queues", name, "policy"), str(error)
    for name, group in scenario.agents.items():
        yield from _group_faults(name, group)
    if sum(group.count for group in scenario.agents.values()) > AGENTS_MAX:
        yield ("agents",), f"more than {AGENTS_MAX:,} agents in all groups"
    for name, one in scenario.classes.items():
        yield from _class_faults(scenario, name, one)


def _run_faults(scenario: Scenario) -> Iterator[tuple[Field, str]]:
    run = scenario.run
    endless = [name for name, one in scenario.classes.items() if isinstance(one.arrivals, Poisson)]
    if run.contacts is None and run.until_s is None and endless:
        yield ("run",), f"contacts or until_s is needed: {endless[0]} has arrivals without end"
    if run.contacts is not None and run.warm_up_contacts >= run.contacts:
        yield ("run", "warm_up_contacts"), f"must be less than contacts ({run.contacts})"


def _group_faults(name: str, group: AgentGroup) -> Iterator[tuple[Field, str]]:
    if group.until_s is not None and group.until_s <= group.from_s:
        yield ("agents", name, "until_s"), f"must be later than from_s ({group.from_s:g})"
    try:
        sign_on(name, group)
    except ValueError as error:
        yield ("agents", name, "profile"), str(error)


def _class_faults(scenario: Scenario, name: str, one: ContactClass) -> Iterator[tuple[Field, str]]:
    queue = scenario.queues.get(one.queue)
    if queue is None:
        yield ("classes", name, "queue"), f"no such queue; there are: {', '.join(scenario.queues)}"
        return
    if one.service is None and not isinstance(one.arrivals, FromJournal):
        yield ("classes", name), "service is needed: how long a contact takes"
    skills = {*queue.required_skills, *one.required_skills}
    if not any(_can_serve(group, queue.channel, skills) for group in scenario.agents.values()):
        told = f" and the skills {', '.join(sorted(skills))}" if skills else ""
        yield ("classes", name), f"no agent has slots for {queue.channel}{told}"


def _can_serve(group: AgentGroup, channel: Channel, skills: set[str]) -> bool:
    return channel in group.slots and skills.issubset(group.skills)
