"""Whose turn it is when an agent becomes idle: the first of all lines that they may serve, or of the lowest rank."""

import heapq
from collections.abc import Iterable
from itertools import islice

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.sharing import ServedLine, Turn, in_turn, serve
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.values import Channel, Place


def first_turns(
    state: State, agent: Agent, channel: Channel, count: int, returned: Contact | None
) -> list[Turn]:
    """Return whose turn it is of those who wait for an agent, the first `count`; `returned` waits again just now."""
    requirements = state.pool.satisfied_by(agent, channel)
    profile = agent.profile
    assert profile is not None
    if profile.standings:
        return _first_by_rank(state, agent, channel, count, returned)
    if returned is None and count == 2:  # noqa: PLR2004 - one slot: the first, and who is next
        return [Turn(place) for place in _first_two(requirements)]
    lines: list[Iterable[Place]] = [one.waiting.in_order() for one in requirements]
    if returned is not None and returned.requirement in requirements:
        lines.append([returned.place])
    return [Turn(place) for place in islice(heapq.merge(*lines), count)]


def _first_by_rank(
    state: State, agent: Agent, channel: Channel, count: int, returned: Contact | None
) -> list[Turn]:
    profile = agent.profile
    assert profile is not None
    lines: list[ServedLine] = []
    for one in state.pool.satisfied_by(agent, channel):
        places: Iterable[Place] = one.waiting.in_order() if one.waiting.head else ()
        if returned is not None and returned.requirement is one:
            places = heapq.merge(places, [returned.place])
        elif not one.waiting.head:
            continue
        crew = one.ask[2]
        lines.append((profile.standings.get(one), crew and crew.queue_id, places))
    shares = state.shares.get(agent.team, {}) if state.weighted else None
    return list(islice(in_turn(lines, shares, channel), count))


def _first_two(requirements: Iterable[Requirement]) -> list[Place]:
    """Return the first two places of all lines: two heads, or the first line's head and who stands behind it."""
    first = second = None
    line = None
    for requirement in requirements:
        head = requirement.waiting.head
        if head is None:
            continue
        if first is None or head < first:
            first, second, line = head, first, requirement.waiting
        elif second is None or head < second:
            second = head
    if first is None or line is None:
        return []
    behind = line.second
    if behind is not None and (second is None or behind < second):
        second = behind
    return [first] if second is None else [first, second]


def count_offer(state: State, agent: Agent, contact: Contact) -> None:
    """Count an offer towards the share that its queue has of the agent's team; who rings along costs nothing."""
    profile = agent.profile
    standing = None if profile is None else profile.standings.get(contact.requirement)
    shares = state.shares.setdefault(agent.team, {})
    serve(shares, contact.requirement.channel, standing, contact.queue_id)


def leave_pool(state: State, agent: Agent) -> None:
    """Take an agent out; the last of a team takes its shares with them."""
    state.pool.leave(agent)
    if agent.team not in state.pool.teams:
        state.shares.pop(agent.team, None)
