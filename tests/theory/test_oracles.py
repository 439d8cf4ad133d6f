"""The oracles against published figures and against each other, without any router."""

import math

import pytest

from .balance import two_agents
from .oracles import (
    Graph,
    Pool,
    erlang_b,
    erlang_c,
    erlang_c_later,
    erlang_c_wait,
    pool_figures,
    product_form,
    relative_value,
    stationary,
    wait_answered,
    waits_longer,
)


@pytest.mark.parametrize(
    ("agents", "busy", "waits", "wait", "service_level"),
    [
        (10, 0.90, 0.66873, 0.668732, 0.3744),
        (50, 0.90, 0.36386, 0.072773, 0.7393),
        (100, 0.90, 0.21694, 0.021694, 0.8886),
        (100, 0.95, 0.50646, 0.101291, 0.6371),
        (500, 0.95, 0.17696, 0.007079, 0.9666),
    ],
)
def test_erlang_c(
    agents: int, busy: float, waits: float, wait: float, service_level: float
) -> None:
    load = agents * busy
    assert erlang_c(agents, load) == pytest.approx(waits, abs=5e-6)
    assert erlang_c_wait(agents, load) == pytest.approx(wait, abs=1e-6)
    assert 1 - erlang_c_later(agents, load, 20 / 300) == pytest.approx(service_level, abs=5e-5)


def test_erlang_c_of_a_published_example() -> None:
    """100 calls in 30 minutes, three minutes each, 14 agents: a workforce tool documents these figures."""
    assert 1 - erlang_c_later(14, 10, 20 / 180) == pytest.approx(0.88835, abs=1e-5)
    assert erlang_c(14, 10) == pytest.approx(0.174132, abs=1e-6)


def test_erlang_b_of_a_published_table() -> None:
    assert erlang_b(10, 4.461) == pytest.approx(0.01, abs=1e-5)


def test_a_chain_without_impatience_is_erlangs_pool() -> None:
    figures = pool_figures(Pool(agents=50, arrivals=45))
    assert figures.wait == pytest.approx(erlang_c_wait(50, 45))
    assert figures.occupancy == pytest.approx(0.9)


def test_a_chain_without_room_to_wait_loses_what_erlang_says() -> None:
    assert pool_figures(Pool(agents=10, arrivals=8, waiting_max=0)).blocked == pytest.approx(
        erlang_b(10, 8)
    )


def test_erlang_a_of_garnett_mandelbaum_and_reiman() -> None:
    """50 agents, 48 calls a minute, one minute each, two minutes of patience."""
    pool = Pool(agents=50, arrivals=48, impatience=0.5)
    figures = pool_figures(pool)
    assert figures.abandonment == pytest.approx(0.030912, abs=1e-6)
    assert figures.wait * 60 == pytest.approx(3.7095, abs=1e-4)
    assert figures.waiting == pytest.approx(2.968, abs=1e-3)
    assert figures.occupancy == pytest.approx(0.93032, abs=1e-5)
    assert wait_answered(pool) * 60 == pytest.approx(3.616, abs=1e-3)


@pytest.mark.parametrize(
    ("waiting_max", "wait", "blocked"), [(30, 0.4500, 0.003643), (None, 0.68660, 0.0)]
)
def test_the_pooled_bound_of_wallace_and_whitt(
    waiting_max: int | None, wait: float, blocked: float
) -> None:
    figures = pool_figures(Pool(agents=90, arrivals=84, waiting_max=waiting_max))
    assert figures.wait * 10 == pytest.approx(wait, abs=5e-5)
    assert figures.blocked == pytest.approx(blocked, abs=1e-6)


@pytest.mark.parametrize(
    "pool",
    [
        Pool(agents=10, arrivals=9),
        Pool(agents=500, arrivals=475),
        Pool(agents=50, arrivals=48, impatience=0.5),
        Pool(agents=90, arrivals=84, waiting_max=30),
    ],
)
def test_the_relative_value_solves_poissons_equation(pool: Pool) -> None:
    """The number waiting plus the drift of h is the same at every number of customers that is at all likely."""
    step, mean = relative_value(pool, pool.waiting), pool_figures(pool).waiting
    for n, chance in enumerate(stationary(pool)):
        if chance > 1e-12:
            down = pool.departures(n) * step(n - 1) if n else 0.0
            drift = pool.arrivals * step(n) - down
            assert pool.waiting(n) + drift == pytest.approx(mean, rel=1e-6)


def test_a_wait_given_the_number_that_are_there_is_erlangs_on_average() -> None:
    pool = Pool(agents=10, arrivals=9)
    later = sum(p * waits_longer(pool, n, 0.1) for n, p in enumerate(stationary(pool)))
    assert later == pytest.approx(erlang_c_later(10, 9, 0.1))


def graph(arrivals: dict[str, float], *skills: str) -> Graph:
    return Graph(
        arrivals=arrivals,
        skills=[frozenset(one) for one in skills],
        rates=[1.0] * len(skills),
    )


def chain(length: int, rate: float) -> Graph:
    names = "abcdef"[:length]
    return graph(
        dict.fromkeys(names, rate), *(one + names[(i + 1) % length] for i, one in enumerate(names))
    )


@pytest.mark.parametrize(
    ("served", "waits", "occupancy"),
    [
        (graph({"a": 0.9, "b": 0.6}, "a", "ab"), {"a": 1.20382, "b": 2.87580}, [0.65924, 0.84076]),
        (
            graph({"a": 1.1, "b": 1.2}, "a", "ab", "b"),
            {"a": 1.11732, "b": 1.22866},
            [0.71277, 0.84508, 0.74215],
        ),
        (chain(4, 0.8), dict.fromkeys("abcd", 1.07586), [0.8] * 4),
        (chain(6, 0.9), dict.fromkeys("abcdef", 2.01404), [0.9] * 6),
    ],
)
def test_the_product_form(served: Graph, waits: dict[str, float], occupancy: list[float]) -> None:
    figures = product_form(served)
    assert figures.wait == pytest.approx(waits, abs=1e-5)
    assert figures.occupancy == pytest.approx(occupancy, abs=1e-5)


def test_the_product_form_is_what_the_balance_equations_say() -> None:
    """Found without it: all states of two agents written down, and what comes in at each set equal to what goes out."""
    figures = product_form(graph({"a": 0.9, "b": 0.6}, "a", "ab"))
    found = two_agents(0.9, 0.6)
    assert [found.wait_a, found.wait_b] == pytest.approx([*figures.wait.values()], rel=1e-3)
    assert [found.busy_one, found.busy_both] == pytest.approx(figures.occupancy, rel=1e-4)


def test_the_product_form_of_a_pool_is_erlangs() -> None:
    pooled = product_form(graph({"a": 2.0, "b": 1.0}, "ab", "ab", "ab", "ab"))
    assert pooled.wait == pytest.approx(dict.fromkeys("ab", erlang_c_wait(4, 3.0)))


def test_more_than_can_be_served_is_refused() -> None:
    with pytest.raises(ValueError, match="come faster than they can be served"):
        product_form(graph({"a": 1.5, "b": 0.1}, "a", "b"))


def test_half_of_the_calls_wait_where_halfin_and_whitt_say() -> None:
    load = 400.0
    agents = math.ceil(load + 0.5 * math.sqrt(load))
    assert erlang_c(agents, load) == pytest.approx(0.5102, abs=1e-4)
