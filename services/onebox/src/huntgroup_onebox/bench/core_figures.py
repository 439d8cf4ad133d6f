"""Routing's core alone: how its cost grows, what it does a second, its slowest decision, its memory, and simulation.

No log, no gRPC, no encoding: `decide` and `evolve` in one process, CPU time. Explanations are part of every offer.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from statistics import median

from huntgroup_onebox.bench.core_work import (
    DOMAIN,
    Spent,
    Work,
    apply,
    backlog,
    busy_centre,
    contact_of,
    queue_of,
    sign_on_of,
    spend,
)
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    Command,
    ObserveAgentSignedOff,
    ObserveAgentWentReady,
    PassTime,
    SetQueuePriority,
)
from huntgroup_routing.core.state import State, initial
from huntgroup_routing.core.values import (
    POLICY_CHANGES_MAX,
    AgentId,
    QueueId,
    RoutingStep,
    Skill,
    StepTrigger,
    Strategy,
)

CLIENT = "none: decide and evolve in one process, CPU time, explanations on"
CONTACTS, CONTACTS_QUICK = 20_000, 2_000
AGENTS, BUSY = 1_000, 0.9
CROWD, CROWD_QUICK = 10_000, 1_000
LINE, LINE_QUICK = 15_000, 1_500
FRESH = count(1)


def core_scale(bench: Workbench) -> list[Measured]:
    """Measure how the cost of an event grows with agents, waiting contacts and queues; and contacts a second."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    found = []
    for name, small, large in (
        (
            "core-agents-ratio",
            ("100 agents", busy_centre(agents=100, queues=20, busy=0.9, contacts=contacts)),
            ("10,000 agents", busy_centre(agents=10_000, queues=20, busy=0.9, contacts=contacts)),
        ),
        (
            "core-waiting-ratio",
            ("15 waiting", backlog(waiting=15, agents=1_000, queues=20, contacts=contacts)),
            ("15,000 waiting", backlog(waiting=15_000, agents=1_000, queues=20, contacts=contacts)),
        ),
        (
            "core-queues-ratio",
            ("20 queues", busy_centre(agents=4_000, queues=20, busy=0.9, contacts=contacts)),
            ("2,000 queues", busy_centre(agents=4_000, queues=2_000, busy=0.9, contacts=contacts)),
        ),
    ):
        found.append(_growth(bench, name, small, large))
    work = busy_centre(agents=AGENTS, queues=20, busy=BUSY, contacts=contacts)
    rates = [work.contacts / spend(work).seconds for _ in range(bench.repeats)]
    bench.found["core-contacts"] = median(rates)
    baseline = f"{spend(work).us_per_event:.2f} µs an event; 1,000 agents, 20 queues"
    found.append(Measured(name="core-contacts", repeats=rates, baseline=baseline, client=CLIENT))
    return found


def _growth(
    bench: Workbench, name: str, small: tuple[str, Work], large: tuple[str, Work]
) -> Measured:
    """Measure the two in turn."""
    ratios: list[float] = []
    times: list[tuple[Spent, Spent]] = []
    for _ in range(bench.repeats):
        times.append((spend(small[1]), spend(large[1])))
        ratios.append(times[-1][1].us_per_event / times[-1][0].us_per_event)
    few, many = (median(one[side].us_per_event for one in times) for side in (0, 1))
    bench.say(f"{name}: {small[0]} {few:.2f} µs, {large[0]} {many:.2f} µs an event")
    return Measured(
        name=name,
        repeats=ratios,
        baseline=f"{few:.2f} µs an event with {small[0]}; {many:.2f} µs with {large[0]}",
        client=CLIENT,
    )


def core_worst(bench: Workbench) -> list[Measured]:
    """Measure the slowest single decision of what a large centre may ask for at one instant."""
    slowest, details = [], {}
    for _ in range(bench.repeats):
        took = {name: 1e3 * decision() for name, decision in _heavy(bench).items()}
        slowest.append(max(took.values()))
        details = {name: round(ms, 2) for name, ms in took.items()}
    worst = max(details, key=lambda name: details[name])
    bench.say(f"core-worst-decision: {details}")
    return [
        Measured(
            name="core-worst-decision",
            repeats=slowest,
            baseline=f"slowest: {worst}",
            client=CLIENT,
            details={"ms": details},
        )
    ]


def _heavy(bench: Workbench) -> dict[str, Callable[[], float]]:
    """Return decisions by what they are; each is made on a state of its own and returns its CPU seconds."""
    crowd = CROWD_QUICK if bench.quick else CROWD
    line = LINE_QUICK if bench.quick else LINE
    sales, web = QueueId("sales"), Skill("web")

    def idle_crowd() -> State:
        state = initial(DOMAIN)
        _tell(state, queue_of(sales))
        for number in range(crowd):
            agent_id = AgentId(f"agent-{number}")
            _tell(state, sign_on_of(agent_id, (web,)), ObserveAgentWentReady(agent_id=agent_id))
        return state

    def all_ring() -> State:
        state = idle_crowd()
        for number in range(crowd):
            _tell(state, contact_of(f"c{number:08d}", sales, at_ms=0))
        return state

    def long_line() -> State:
        state = initial(DOMAIN)
        _tell(state, queue_of(sales))
        for number in range(line):
            _tell(state, contact_of(f"c{number:08d}", sales, at_ms=number))
        agent_id = AgentId("agent")
        _tell(state, sign_on_of(agent_id, (web,)))
        return state

    def relaxing_line() -> State:
        state = initial(DOMAIN)
        step = RoutingStep(after_ms=late_ms)
        _tell(state, replace(queue_of(sales, (web,)), steps=(step,)))
        for number in range(crowd):
            agent_id = AgentId(f"agent-{number}")
            _tell(state, sign_on_of(agent_id), ObserveAgentWentReady(agent_id=agent_id))
            _tell(state, contact_of(f"c{number:08d}", sales, at_ms=0))
        return state

    first, late_ms = AgentId("agent-0"), 30_000
    return {
        "one rings at 1,000 agents": lambda: _took(
            _ready_to_ring(sales, 1_000), contact_of("c", sales, at_ms=0), 0
        ),
        f"{crowd:,} offers expire at once": lambda: _took(all_ring(), PassTime(), late_ms),
        f"{crowd:,} come to a step at once": lambda: _took(relaxing_line(), PassTime(), late_ms),
        f"a new requirement, {crowd:,} idle": lambda: _took(
            idle_crowd(), queue_of(QueueId("new"), (web,)), 0
        ),
        f"an agent leaves {crowd:,} who ring": lambda: _took(
            all_ring(), ObserveAgentSignedOff(agent_id=first), 0
        ),
        f"an agent is ready for a line of {line:,}": lambda: _took(
            long_line(), ObserveAgentWentReady(agent_id=AgentId("agent")), line
        ),
        **_policy_changes(line, long_line),
        **_queue_changes(line, long_line),
    }


def _policy_changes(line: int, long_line: Callable[[], State]) -> dict[str, Callable[[], float]]:
    sales = QueueId("sales")
    many = [QueueId(f"q{number}") for number in range(1, POLICY_CHANGES_MAX)]
    return {
        f"a policy of {POLICY_CHANGES_MAX} queues": lambda: _took(
            long_line(), _policy(sales, *many), line
        ),
        f"a policy that {line:,} who wait are to follow": lambda: _took(
            long_line(), _policy(sales), line
        ),
        f"the first of {line:,} follow it": lambda: _took_after(
            long_line(), _policy(sales), PassTime(), line
        ),
    }


def _queue_changes(line: int, long_line: Callable[[], State]) -> dict[str, Callable[[], float]]:
    sales, first = QueueId("sales"), SetQueuePriority(queue_id=QueueId("sales"), priority=1)

    def crowded_line() -> State:
        state = initial(DOMAIN)
        step = RoutingStep(after_ms=0, trigger=StepTrigger.QUEUE_LENGTH, limit=line)
        _tell(state, replace(queue_of(sales, (Skill("web"),)), steps=(step,), waiting_max=line))
        for number in range(line):
            _tell(state, contact_of(f"c{number:08d}", sales, at_ms=number))
        return state

    return {
        f"another priority for a queue of {line:,}": lambda: _took(long_line(), first, line),
        f"the first of {line:,} stand by it": lambda: _took_after(
            long_line(), first, PassTime(), line
        ),
        f"{line:,} are too many, the first go to a step": lambda: _took(
            crowded_line(), PassTime(), line
        ),
    }


def _policy(*queue_ids: QueueId) -> ApplyPolicy:
    """Return the command that gives all queues a requirement and steps of their own, for those who wait, too.

    Nobody has read these requirements before.
    """
    fresh = next(FRESH)
    steps = (
        RoutingStep(after_ms=60_000, requirement='skill("web") >= 2'),
        RoutingStep(after_ms=90_000),
    )
    queues = (
        replace(
            queue_of(queue_id),
            requirement=f'skill("{queue_id} {fresh}") >= 3',
            steps=steps,
        )
        for queue_id in queue_ids
    )
    return ApplyPolicy(queues=tuple(queues), applies_to_waiting=True)


def _ready_to_ring(queue_id: QueueId, agents: int) -> State:
    state = initial(DOMAIN)
    _tell(state, replace(queue_of(queue_id), strategy=Strategy.RING_ALL, ring_max=agents))
    for number in range(agents):
        agent_id = AgentId(f"agent-{number}")
        _tell(state, sign_on_of(agent_id), ObserveAgentWentReady(agent_id=agent_id))
    return state


def _tell(state: State, *commands: Command) -> None:
    for command in commands:
        apply(state, command, 0)


def _took_after(state: State, before: Command, command: Command, at_ms: int) -> float:
    apply(state, before, at_ms)
    return _took(state, command, at_ms)


def _took(state: State, command: Command, at_ms: int) -> float:
    gc.collect()
    begun_s = time.process_time()
    apply(state, command, at_ms)
    return time.process_time() - begun_s


def core_memory(bench: Workbench) -> list[Measured]:
    """Measure what a waiting contact and an agent hold."""
    count = 1_000 if bench.quick else 10_000
    sales, skills = QueueId("sales"), (Skill("english"), Skill("web"))

    def grown(fill: Callable[[State, int], None]) -> float:
        state = initial(DOMAIN)
        _tell(state, queue_of(sales))
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(count):
                fill(state, number)
            gc.collect()
            return tracemalloc.get_traced_memory()[0] / count
        finally:
            tracemalloc.stop()

    def contact(state: State, number: int) -> None:
        _tell(state, contact_of(f"01890a5d-ac96-774b-bcce-{number:012d}", sales, at_ms=number))

    def agent(state: State, number: int) -> None:
        agent_id = AgentId(f"agent-{number:06d}")
        _tell(state, sign_on_of(agent_id, skills), ObserveAgentWentReady(agent_id=agent_id))

    told = f"{count:,} of them, in one queue"
    return [
        Measured(name=name, repeats=[grown(fill)], baseline=told, client="tracemalloc")
        for name, fill in (("core-memory-contact", contact), ("core-memory-agent", agent))
    ]
