"""Work for routing's core alone: commands that a centre gave it, to be decided and folded again with nothing between.

A centre is played once and its commands are kept. Then the same commands go to a new core: first those up to where the
centre is in its stride, then those whose time is taken. So the time is that of `decide` and `evolve` alone.
"""

import gc
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import convert

from huntgroup_onebox.simulate.centre import Centre
from huntgroup_onebox.simulate.measures import Measures
from huntgroup_onebox.simulate.replications import Simulation, prepare
from huntgroup_onebox.simulate.scenario import Scenario
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    Command,
    ConfigureQueue,
    Event,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveAgentWentReady,
    ObserveContactQueued,
    OfferCreated,
    Refused,
)
from huntgroup_routing.core.state import State, initial
from huntgroup_routing.core.values import AgentId, Channel, ContactId, OfferId, QueueId, Skill

DOMAIN = "bench/core"
AHT_S = 180.0
STRIDES = 3
"""So many mean handling times, in contacts, until a centre is in its stride."""

Told = tuple[int, Command]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a core is told: before the clock runs, and while it runs."""

    before: Sequence[Told]
    timed: Sequence[Told]
    contacts: int
    """Served within the timed part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the timed part took: CPU time of this process."""

    seconds: float
    events: int

    @property
    def us_per_event(self) -> float:
        """Microseconds."""
        return self.seconds / self.events * 1e6


def busy_centre(*, agents: int, queues: int, busy: float, contacts: int) -> Work:
    """Return the work of a centre with three skills an agent, a queue and a skill of each kind, and nobody leaving."""
    skill_of = [f"skill-{number}" for number in range(queues)]
    kinds = min(queues, agents)
    counts = [agents // kinds + (number < agents % kinds) for number in range(kinds)]
    groups = {
        f"group-{number}": {
            "count": count,
            # Steps that are prime to most numbers, so that every skill is shared with ever other ones.
            "skills": sorted({skill_of[(number + step) % queues] for step in (0, 1, 7)}),
        }
        for number, count in enumerate(counts)
    }
    per_hour = agents * busy / AHT_S * 3_600 / queues
    exponential = {"kind": "exponential", "mean_s": AHT_S}
    before = STRIDES * agents
    words: dict[str, Any] = {
        "name": "bench",
        "run": {"contacts": before + contacts},
        "queues": {skill: {"required_skills": [skill]} for skill in skill_of},
        "classes": {
            skill: {
                "queue": skill,
                "arrivals": {"kind": "poisson", "per_hour": per_hour},
                "service": exponential,
            }
            for skill in skill_of
        },
        "agents": groups,
    }
    scenario = convert(words, Scenario)
    plan, measures = prepare(Simulation(scenario=scenario, folder=Path(), journals={}), 0, Measures)
    told: list[Told] = []

    def noted(state: State, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        told.append((at_ms, command))
        return decide(state, command, at_ms)

    Centre(plan, measures, noted).play(lambda _: None)
    came = [place for place, one in enumerate(told) if isinstance(one[1], ObserveContactQueued)]
    start = came[before]
    return Work(before=told[:start], timed=told[start : came[-1]], contacts=contacts)


def backlog(*, waiting: int, agents: int, queues: int, contacts: int) -> Work:
    """Return the work of a centre where so many wait all the time: whenever one is served, the next one comes."""
    names = [QueueId(f"queue-{number}") for number in range(queues)]
    told: list[Told] = []
    state, working = initial(DOMAIN), deque[tuple[AgentId, OfferId]]()

    def tell(command: Command) -> None:
        at_ms = len(told)
        told.append((at_ms, command))
        for event in apply(state, command, at_ms):
            if isinstance(event, OfferCreated):
                tell(AcceptOffer(offer_id=event.offer_id, agent_id=event.agent_id))
                working.append((event.agent_id, event.offer_id))

    for name in names:
        tell(queue_of(name, (Skill(name),)))
    for number in range(agents):
        skills = tuple(Skill(names[(number + step) % queues]) for step in (0, 1, 7))
        agent_id = AgentId(f"agent-{number}")
        tell(sign_on_of(agent_id, skills))
        tell(ObserveAgentWentReady(agent_id=agent_id))
    start = 0
    for number in range(agents + waiting + contacts):
        if number == agents + waiting:
            start = len(told)
        if number >= agents + waiting:
            agent_id, offer_id = working.popleft()
            tell(ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id))
        tell(contact_of(f"c{number:08d}", names[number % queues], at_ms=len(told)))
    return Work(before=told[:start], timed=told[start:], contacts=contacts)


def queue_of(queue_id: QueueId, skills: tuple[Skill, ...] = ()) -> ConfigureQueue:
    """Return the command that makes a queue."""
    return ConfigureQueue(
        queue_id=queue_id,
        channel=Channel.VOICE,
        required_skills=skills,
        ring_timeout_ms=20_000,
        wrap_up_timeout_ms=0,
        service_level_threshold_ms=20_000,
        waiting_max=0,
    )


def sign_on_of(agent_id: AgentId, skills: tuple[Skill, ...] = ()) -> ObserveAgentSignedOn:
    """Return the fact that an agent with one slot came."""
    one = (ChannelCapacity(channel=Channel.VOICE, slots=1),)
    return ObserveAgentSignedOn(agent_id=agent_id, skills=skills, capacity=one)


def contact_of(contact_id: str, queue_id: QueueId, at_ms: int) -> ObserveContactQueued:
    """Return the fact that a contact waits."""
    return ObserveContactQueued(
        contact_id=ContactId(contact_id),
        queue_id=queue_id,
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=at_ms,
    )


def apply(state: State, command: Command, at_ms: int) -> tuple[Event, ...]:
    """Decide and fold; what is refused is a mistake here."""
    events = decide(state, command, at_ms)
    assert not isinstance(events, Refused), events
    for event in events:
        evolve(state, event)
    return events


def spend(work: Work, *, explains: bool = True) -> Spent:
    """Do the work on a new core, which says why, or does not."""
    state = initial(DOMAIN)
    state.explains = explains
    for at_ms, command in work.before:
        apply(state, command, at_ms)
    # As a process does once it is up: what is there already is not looked through again and again.
    gc.collect()
    gc.freeze()
    try:
        events = 0
        begun_s = time.process_time()
        for at_ms, command in work.timed:
            events += len(apply(state, command, at_ms))
        spent = Spent(seconds=time.process_time() - begun_s, events=events)
    finally:
        gc.unfreeze()
    return spent
