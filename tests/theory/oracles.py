"""What queueing theory says, apart from all code of the routing service. Times are in units of the mean service time.

Birth–death chains, Erlang's formulas, and the product form of skill-based service. Each is compared with published
figures in test_oracles.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

ALMOST_EMPTY: Final = 1e-14
"""A chain without end is cut off where the rest weighs less than this."""
STATES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One pool of equal agents, arrivals at random, service times and patience exponential."""

    agents: int
    arrivals: float
    """Per mean service time: the offered load in erlangs."""
    impatience: float = 0.0
    """Customers who give up, per waiting customer and mean service time; 0: nobody does."""
    waiting_max: int | None = None
    """More are turned away; None: no limit."""

    def departures(self, number: int) -> float:
        """Return the rate at which anybody leaves when so many are there."""
        return min(number, self.agents) + self.impatience * self.waiting(number)

    @property
    def is_limited(self) -> bool:
        """Whether some are turned away."""
        return self.waiting_max is not None

    def waiting(self, number: int) -> float:
        """Return how many wait when so many are there."""
        return float(max(0, number - self.agents))


def erlang_b(agents: int, load: float) -> float:
    """Return the probability that a call is lost when nobody can wait."""
    blocked = 1.0
    for number in range(1, agents + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(agents: int, load: float) -> float:
    """Return the probability that a call waits; `load` is in erlangs and below `agents`."""
    blocked, busy = erlang_b(agents, load), load / agents
    return blocked / (1 - busy * (1 - blocked))


def erlang_c_wait(agents: int, load: float) -> float:
    """Return the mean wait."""
    return erlang_c(agents, load) / (agents - load)


def erlang_c_later(agents: int, load: float, time: float) -> float:
    """Return the probability of a wait longer than `time`."""
    return erlang_c(agents, load) * math.exp(-(agents - load) * time)


def stationary(pool: Pool) -> list[float]:
    """Return the probability of each number of customers that are there, from 0 on."""
    weights = [1.0]
    end = STATES_MAX if pool.waiting_max is None else pool.agents + pool.waiting_max
    for number in range(1, end + 1):
        weights.append(weights[-1] * pool.arrivals / pool.departures(number))
        rest = weights[-1] < ALMOST_EMPTY * max(weights)
        if number > pool.agents and rest and not pool.is_limited:
            break
        if weights[-1] > 1e200:
            weights = [weight / weights[-1] for weight in weights]
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """What follows for customers and agents."""

    waiting: float
    """How many wait, on average."""
    wait: float
    """Mean wait of all who were let in, answered or not."""
    abandonment: float
    """Of those let in."""
    blocked: float
    occupancy: float


def pool_figures(pool: Pool) -> PoolFigures:
    """Return the figures of a pool, from its birth–death chain."""
    chance = stationary(pool)
    agents = pool.agents
    waiting = math.fsum(p * pool.waiting(n) for n, p in enumerate(chance))
    busy = math.fsum(p * min(n, agents) for n, p in enumerate(chance))
    blocked = chance[-1] if pool.is_limited else 0.0
    let_in = pool.arrivals * (1 - blocked)
    return PoolFigures(
        waiting=waiting,
        wait=waiting / let_in,
        abandonment=pool.impatience * waiting / let_in,
        blocked=blocked,
        occupancy=busy / agents,
    )


def waits_longer(pool: Pool, number: int, time: float) -> float:
    """Return the probability that who finds so many there waits longer, when nobody gives up."""
    left = number - pool.agents + 1
    term = total = math.exp(-pool.agents * time)
    for count in range(1, left):
        term *= pool.agents * time / count
        total += term
    return total if left > 0 else 0.0


def wait_answered(pool: Pool) -> float:
    """Return the mean wait of those who are answered, when customers may give up.

    Who arrives with k before them waits for k + 1 departures from the agents or the line before them; each of these
    steps is a race of their patience with the departures (Garnett, Mandelbaum and Reiman 2002).
    """
    chance, theta = stationary(pool), pool.impatience
    total = answered = 0.0
    for n, p in enumerate(chance):
        survives, time = 1.0, 0.0
        for before in range(max(0, n - pool.agents), -1, -1):
            if n < pool.agents:
                break
            rate = pool.agents + theta * before
            # Given that patience lasts longer than this step, the step is exponential with both rates together.
            survives *= rate / (rate + theta)
            time += 1 / (rate + theta)
        answered += p * survives
        total += p * survives * time
    return total / answered


Cost = Callable[[int], float]
"""Of a number of customers that are there, per unit of time."""


def relative_value(pool: Pool, cost: Cost) -> Callable[[int], float]:
    """Return h(n+1) - h(n) for the h that solves Poisson's equation of a cost.

    So the cost plus the drift of h is the mean cost at every n: what is left of the noise of a simulation when the
    drift of h is added, is what differs from this pool.
    """
    chance = stationary(pool)
    mean = math.fsum(p * cost(n) for n, p in enumerate(chance))
    # Below the agents' number the recursion is stable upwards, above it downwards: there it forgets where it began.
    top = len(chance) - 1 if pool.is_limited else 2 * len(chance) + pool.agents
    steps = [0.0] * (top + 1)
    for n in range(pool.agents):
        leaving = pool.departures(n) * (steps[n - 1] if n else 0.0)
        steps[n] = (mean - cost(n) + leaving) / pool.arrivals
    for n in range(top, pool.agents, -1):
        steps[n - 1] = (pool.arrivals * steps[n] - mean + cost(n)) / pool.departures(n)
    return lambda n: steps[min(n, top)]


# Skill-based service: first come, first served, by the agent who has been idle for longest.


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Classes of customers, single servers, and who may serve whom."""

    arrivals: Mapping[str, float]
    skills: Sequence[frozenset[str]]
    """The classes that each server takes."""
    rates: Sequence[float]
    """Of service, by server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFigures:
    """What follows for each class and each server."""

    wait: Mapping[str, float]
    occupancy: Sequence[float]


def product_form(graph: Graph) -> GraphFigures:
    """Return the exact figures (Adan and Weiss, Stochastic Systems 4(1) 2014).

    A state is an order of the busy servers, by arrival of who they serve, with the numbers waiting between them, and an
    order of the idle ones, the one idle for longest last. The sums over the numbers waiting are geometric.
    """
    servers = range(len(graph.skills))
    whole = 0.0
    waiting = dict.fromkeys(graph.arrivals, 0.0)
    busy = [0.0] * len(graph.skills)
    for order in permutations(servers):
        for count in range(len(order) + 1):
            weight, queues = _weight(graph, order, count)
            whole += weight
            for server in order[:count]:
                busy[server] += weight
            for name, mean in queues.items():
                waiting[name] += weight * mean
    return GraphFigures(
        wait={name: waiting[name] / whole / rate for name, rate in graph.arrivals.items()},
        occupancy=[one / whole for one in busy],
    )


def _weight(graph: Graph, order: tuple[int, ...], count: int) -> tuple[float, dict[str, float]]:
    """Return the weight of all states with this order and so many busy, and the mean numbers waiting in them."""
    weight, queues = 1.0, dict.fromkeys(graph.arrivals, 0.0)
    for place in range(1, count + 1):
        taken, left = order[:place], order[place:]
        elsewhere = frozenset().union(*(graph.skills[server] for server in left))
        only = {name for name in graph.arrivals if name not in elsewhere}
        arriving = sum(graph.arrivals[name] for name in only)
        rate = sum(graph.rates[server] for server in taken)
        if arriving >= rate:
            raise ValueError(f"{sorted(only)} come faster than they can be served")
        weight /= rate - arriving
        for name in only:
            queues[name] += graph.arrivals[name] / (rate - arriving)
    for place in range(count, len(order)):
        idle = frozenset().union(*(graph.skills[server] for server in order[place:]))
        weight /= sum(graph.arrivals[name] for name in idle)
    return weight, queues
