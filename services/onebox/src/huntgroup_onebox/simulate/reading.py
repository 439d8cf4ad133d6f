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
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import (
    Command,
    ConfigureQueue,
    Event,
    ObserveAgentSignedOn,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    OfferCreated,
    PassTime,
    Refused,
)
from huntgroup_routing.core.state import initial
from huntgroup_routing.core.values import AgentId, Channel, ContactId, QueueId, Skill

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
    trial = _Trial()
    for name, queue in scenario.queues.items():
        try:
            trial.tell(configure(name, queue))
        except ValueError as error:
            yield ("queues", name, "policy"), str(error)
    for name, group in scenario.agents.items():
        yield from _group_faults(name, group, trial)
    if sum(group.count for group in scenario.agents.values()) > AGENTS_MAX:
        yield ("agents",), f"more than {AGENTS_MAX:,} agents in all groups"
    for name, one in scenario.classes.items():
        yield from _class_faults(scenario, name, one, trial)


class _Trial:
    """A core with every queue, and of each group one agent, idle: it is asked who could serve whom."""

    def __init__(self) -> None:
        self._state = initial("trial/centre")
        self._at_ms = 0

    def tell(self, command: Command) -> tuple[Event, ...]:
        """Return what follows; raises `ValueError` for what routing refuses."""
        events = decide(self._state, command, self._at_ms)
        if isinstance(events, Refused):
            raise ValueError(events.detail)  # noqa: TRY004 - a refusal is an answer
        for event in events:
            evolve(self._state, event)
        return events

    def can_serve(self, one: ContactClass, channel: Channel) -> bool:
        """Return whether a contact of the class is offered to anybody, at once or at a step of its queue."""
        begun_ms, queue_id = self._at_ms, QueueId(one.queue)
        contact = ObserveContactQueued(
            contact_id=ContactId("trial"),
            queue_id=queue_id,
            channel=channel,
            priority=one.priority,
            required_skills=tuple(Skill(skill) for skill in one.required_skills),
            enqueued_at_ms=begun_ms,
        )
        decided = decide(self._state, contact, begun_ms)
        assert not isinstance(decided, Refused)
        if _offers(decided):
            return True
        self.tell(contact)
        for step in self._state.queues[queue_id].plan.steps:
            self._at_ms = begun_ms + step.after_ms
            decided = decide(self._state, PassTime(), self._at_ms)
            assert not isinstance(decided, Refused)
            if _offers(decided):
                break
            self.tell(PassTime())
        self.tell(ObserveContactAbandoned(contact_id=contact.contact_id))
        self._state.ended_contacts.clear()
        return _offers(decided)


def _offers(events: tuple[Event, ...]) -> bool:
    return any(isinstance(event, OfferCreated) for event in events)


def _run_faults(scenario: Scenario) -> Iterator[tuple[Field, str]]:
    run = scenario.run
    endless = [name for name, one in scenario.classes.items() if isinstance(one.arrivals, Poisson)]
    if run.contacts is None and run.until_s is None and endless:
        yield ("run",), f"contacts or until_s is needed: {endless[0]} has arrivals without end"
    if run.contacts is not None and run.warm_up_contacts >= run.contacts:
        yield ("run", "warm_up_contacts"), f"must be less than contacts ({run.contacts})"


def _group_faults(name: str, group: AgentGroup, trial: _Trial) -> Iterator[tuple[Field, str]]:
    if group.until_s is not None and group.until_s <= group.from_s:
        yield ("agents", name, "until_s"), f"must be later than from_s ({group.from_s:g})"
    try:
        trial.tell(sign_on(name, group))
        trial.tell(ObserveAgentWentReady(agent_id=AgentId(name)))
    except ValueError as error:
        yield ("agents", name, "profile"), str(error)


def _class_faults(
    scenario: Scenario, name: str, one: ContactClass, trial: _Trial
) -> Iterator[tuple[Field, str]]:
    queue = scenario.queues.get(one.queue)
    if queue is None:
        yield ("classes", name, "queue"), f"no such queue; there are: {', '.join(scenario.queues)}"
        return
    if one.service is None and not isinstance(one.arrivals, FromJournal):
        yield ("classes", name), "service is needed: how long a contact takes"
    if not trial.can_serve(one, queue.channel):
        skills = sorted({*queue.required_skills, *one.required_skills})
        told = f" and the skills {', '.join(skills)}" if skills else ""
        yield (
            ("classes", name),
            f"no agent has slots for {queue.channel}{told}, and all else that the queue asks for",
        )
