"""Whether a scenario makes sense as a whole: every fault of it, each with the way to the field that is wrong."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from huntgroup_agent_state.core.eligibility import sign_on_refusal
from huntgroup_agent_state.core.messages import SignOn
from huntgroup_agent_state.core.state import initial as no_agents
from huntgroup_onebox.policy.request_reader import steps_of
from huntgroup_onebox.simulate.profiles import profile_faults
from huntgroup_onebox.simulate.queues import (
    commands,
    policy_faults,
    sign_on,
    without,
    written_at,
)
from huntgroup_onebox.simulate.scenario import (
    AGENTS_MAX,
    AgentGroup,
    ContactClass,
    CsvDay,
    FromJournal,
    Poisson,
    Queue,
    Scenario,
)
from huntgroup_onebox.yaml_file import Found
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import Command, ObserveAgentWentReady, Refused
from huntgroup_routing.core.overflow import targets
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.state import initial
from huntgroup_routing.core.values import AgentId, Channel, Own, QueueId, Skill, Vocabulary
from huntgroup_routing.wiring import installed_scorers


def faults_of(
    scenario: Scenario, vocabulary: Vocabulary, folder: Path, *, plain: bool
) -> list[Found]:
    """Return every fault; `folder` is that of the scenario.

    Who could serve whom is looked at only where the rest is without fault, and `plain`: nothing was left out.
    """
    trial = _Trial()
    found = [*_run_faults(scenario), *_queue_faults(scenario, trial)]
    for name, group in scenario.agents.items():
        found += _group_faults(name, group, vocabulary, trial)
    if sum(group.count for group in scenario.agents.values()) > AGENTS_MAX:
        found.append((("agents",), f"more than {AGENTS_MAX:,} agents in all groups"))
    for name, one in scenario.classes.items():
        found += _class_faults(scenario, name, one, folder)
    if plain and not found:
        for name, one in scenario.classes.items():
            queue = scenario.queues[one.queue]
            if not trial.can_serve(one, queue.contact_channel):
                found.append((("classes", name), _nobody(one, queue)))
    return found


def _run_faults(scenario: Scenario) -> Iterator[Found]:
    run = scenario.run
    endless = [name for name, one in scenario.classes.items() if isinstance(one.arrivals, Poisson)]
    if run.contacts is None and run.until_s is None and endless:
        yield ("run",), f"contacts or until_s is needed: {endless[0]} has arrivals without end"
    if run.contacts is not None and run.warm_up_contacts >= run.contacts:
        yield ("run", "warm_up_contacts"), f"must be less than contacts ({run.contacts})"


def _queue_faults(scenario: Scenario, trial: "_Trial") -> list[Found]:
    """Return the faults of the queues, and let there be those of a scenario without."""
    found: list[Found] = []
    sound: dict[str, Queue] = {}
    for name, queue in scenario.queues.items():
        told = policy_faults(name, queue)
        sound[name] = without(queue, told) if told else queue
        found += told
    made = commands(sound)
    _, faults = rules_and_faults(made, Vocabulary(), 0, installed_scorers())
    for fault in faults:
        _, number, *way = steps_of(fault.field)
        found.append((written_at(made[int(number)].queue_id, tuple(way)), fault.rule))
    for command in made if not found else ():
        trial.tell(command)
    return found


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


def _group_faults(
    name: str, group: AgentGroup, vocabulary: Vocabulary, trial: _Trial
) -> Iterator[Found]:
    if group.until_s is not None and group.until_s <= group.from_s:
        yield ("agents", name, "until_s"), f"must be later than from_s ({group.from_s:g})"
    wrong = list(profile_faults(name, group, vocabulary))
    for said in ("costs", "interrupts"):
        for channel in getattr(group, said):
            if channel not in group.slots:
                rule = f"names {channel}, for which the group has no slots"
                wrong.append((("agents", name, said, channel), rule))
    yield from wrong
    if wrong:
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
    scenario: Scenario, name: str, one: ContactClass, folder: Path
) -> Iterator[Found]:
    if scenario.queues and one.queue not in scenario.queues:
        rule = f"no such queue; there are: {', '.join(scenario.queues)}"
        yield ("classes", name, "queue"), rule
    if one.service is None and not isinstance(one.arrivals, FromJournal):
        yield ("classes", name, "service"), "is needed: how long a contact takes"
    match one.arrivals:
        case CsvDay(file=file) if not (folder / file).is_file():
            yield ("classes", name, "arrivals", "file"), f"there is no file {folder / file}"
        case FromJournal(directory=directory) if not (folder / directory).is_dir():
            way = ("classes", name, "arrivals", "directory")
            yield way, f"there is no directory {folder / directory}"


def _nobody(one: ContactClass, queue: Queue) -> str:
    """Return why nobody serves a class."""
    skills = sorted({*queue.required_skills, *one.required_skills})
    told = f" and the skills {', '.join(skills)}" if skills else ""
    return f"no agent has slots for {queue.contact_channel}{told}, and all else that the queue asks for"
