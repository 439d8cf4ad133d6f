"""A scenario from its file: typed, and checked as a whole, so that a simulation never stops in its middle."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from huntgroup_agent_state.core.eligibility import sign_on_refusal
from huntgroup_agent_state.core.messages import SignOn
from huntgroup_agent_state.core.state import initial as no_agents
from huntgroup_onebox.simulate.profiles import profile_faults
from huntgroup_onebox.simulate.queues import commands, configure, from_policy, sign_on
from huntgroup_onebox.simulate.scenario import (
    AGENTS_MAX,
    AgentGroup,
    ContactClass,
    FromJournal,
    Poisson,
    Scenario,
)
from huntgroup_onebox.yaml_file import Field, YamlFile
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import Command, ObserveAgentWentReady, Refused
from huntgroup_routing.core.overflow import targets
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.state import initial
from huntgroup_routing.core.values import AgentId, Channel, Own, QueueId, Skill, Vocabulary
from huntgroup_routing.wiring import installed_scorers


def read_scenario(path: Path) -> Scenario:
    """Return the scenario, with the queues of its policy; raises `YamlFileError` for the first thing that is wrong."""
    file = YamlFile(path)
    scenario, vocabulary = _queues(file, file.to(Scenario))
    for field, rule in _faults(scenario, vocabulary):
        raise file.error(field, rule)
    return scenario


def _queues(file: YamlFile, scenario: Scenario) -> tuple[Scenario, Vocabulary]:
    """Return the scenario with the queues of its policy file, where it names one, and the words declared there."""
    if scenario.policy is None:
        if not scenario.queues:
            raise file.error((), "queues is needed, or policy: the file of a policy with queues")
        return scenario, Vocabulary()
    if scenario.queues:
        raise file.error(("policy",), "has queues, and so has the scenario: leave one of them out")
    policy = file.path.parent / scenario.policy
    if not policy.is_file():
        raise file.error(("policy",), f"there is no file {policy}")
    queues, vocabulary = from_policy(policy)
    if not queues:
        raise file.error(("policy",), "has no queue")
    return msgspec.structs.replace(scenario, queues=queues), vocabulary


def _faults(scenario: Scenario, vocabulary: Vocabulary) -> Iterator[tuple[Field, str]]:
    yield from _run_faults(scenario)
    trial = _Trial()
    yield from _queue_faults(scenario, trial)
    for name, group in scenario.agents.items():
        yield from _group_faults(name, group, trial)
        yield from profile_faults(name, group, vocabulary)
    if sum(group.count for group in scenario.agents.values()) > AGENTS_MAX:
        yield ("agents",), f"more than {AGENTS_MAX:,} agents in all groups"
    for name, one in scenario.classes.items():
        yield from _class_faults(scenario, name, one, trial)


def _queue_faults(scenario: Scenario, trial: "_Trial") -> Iterator[tuple[Field, str]]:
    for name, queue in scenario.queues.items():
        try:
            configure(name, queue)
        except ValueError as error:
            yield ("queues", name, "policy"), str(error)
            return
    made = commands(scenario.queues)
    _, faults = rules_and_faults(made, Vocabulary(), 0, installed_scorers())
    for fault in faults:
        number, _, told = str(fault).removeprefix("queues[").partition("].")
        yield ("queues", made[int(number)].queue_id, "policy"), told
    if not faults:
        for command in made:
            trial.tell(command)


class _Trial:
    """A core with every queue, and of each group one agent, idle: it is asked who could serve whom."""

    def __init__(self) -> None:
        self._state = initial("trial/centre")
        self._state.scorers = installed_scorers()

    def tell(self, command: Command) -> None:
        """Let it be so; raises `ValueError` for what routing refuses."""
        events = decide(self._state, command, 0)
        if isinstance(events, Refused):
            raise ValueError(events.detail)  # noqa: TRY004 - a refusal is an answer
        for event in events:
            evolve(self._state, event)

    def can_serve(self, one: ContactClass, channel: Channel) -> bool:
        """Return whether anybody could serve a contact of the class, at any step, where its queue's rules may lead."""
        own = Own(tuple(Skill(skill) for skill in one.required_skills))
        todo, seen = [QueueId(one.queue)], set[QueueId]()
        while todo:
            queue_id = todo.pop()
            if queue_id in seen or queue_id not in self._state.queues:
                continue
            seen.add(queue_id)
            plan = self._state.queues[queue_id].plan
            for step in range(len(plan.steps) + 1):
                if self._state.pool.able(channel, plan.ask(step, own, plan.delays)):
                    return True
            todo += targets(plan.overflow)
        return False


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
    for said in ("costs", "interrupts"):
        for channel in getattr(group, said):
            if channel not in group.slots:
                rule = f"names {channel}, for which the group has no slots"
                yield ("agents", name, said), rule
                return
    for field, one in (((), msgspec.structs.replace(group, profile={})), (("profile",), group)):
        try:
            _sign_on(name, one, trial)
        except ValueError as error:
            yield ("agents", name, *field), str(error)
            return
    trial.tell(ObserveAgentWentReady(agent_id=AgentId(name)))


def _sign_on(name: str, group: AgentGroup, trial: _Trial) -> None:
    """Let one of the group come; raises `ValueError` for what routing or agent-state refuses."""
    comes = sign_on(name, group)
    asked = msgspec.convert(msgspec.to_builtins(comes), SignOn)
    refused = sign_on_refusal(no_agents("trial/centre"), asked, asked.capacity)
    if refused is not None:
        raise ValueError(refused.detail)
    trial.tell(comes)


def _class_faults(
    scenario: Scenario, name: str, one: ContactClass, trial: _Trial
) -> Iterator[tuple[Field, str]]:
    queue = scenario.queues.get(one.queue)
    if queue is None:
        yield ("classes", name, "queue"), f"no such queue; there are: {', '.join(scenario.queues)}"
        return
    if one.service is None and not isinstance(one.arrivals, FromJournal):
        yield ("classes", name), "service is needed: how long a contact takes"
    if not trial.can_serve(one, queue.contact_channel):
        skills = sorted({*queue.required_skills, *one.required_skills})
        told = f" and the skills {', '.join(skills)}" if skills else ""
        yield (
            ("classes", name),
            f"no agent has slots for {queue.contact_channel}{told}, and all else that the queue asks for",
        )
