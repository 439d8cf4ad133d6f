"""In which order an agent who becomes idle is given what waits on their channels.

Where each channel is for itself the order makes no difference to who is served. Where channels share, whoever is given
first may leave no room for others: then the rules that hold within a channel, priority and rank, hold between them too.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.sharing import Turn
from huntgroup_routing.core.state import Contact, State
from huntgroup_routing.core.values import Place

TurnAndNext = tuple[Turn, Turn | None]
"""Whose turn it is on a channel, and whose after that."""


def served_in_turn(
    state: State, agent: Agent, own: list[Contact], of_channels: Sequence[Iterable[TurnAndNext]]
) -> Iterator[tuple[Contact, Turn | None, Turn | None]]:
    """Yield contacts as an agent is to be given them: with their turn and the next, or of their `own` with neither.

    By rank, then by place; their own go before others of no higher priority, or by place where priority is worth time.
    Shares are kept within each channel.
    """
    shares = agent.concurrency is not None
    if shares:
        own = sorted(own, key=_place)
    else:
        for contact in own:
            yield contact, None, None
        own = []
    for turn, following in _merged(of_channels, ranks=shares):
        other = state.contacts[turn.place[2]]
        for contact in [one for one in own if not _goes_before(other, one)] if own else ():
            own.remove(contact)
            yield contact, None, None
        yield other, turn, following
    for contact in own:
        yield contact, None, None


def _merged(of_channels: Sequence[Iterable[TurnAndNext]], *, ranks: bool) -> Iterable[TurnAndNext]:
    if len(of_channels) == 1:
        return of_channels[0]
    if ranks:
        return heapq.merge(*of_channels, key=_by_rank)
    return heapq.merge(*of_channels, key=_by_place)


def _place(contact: Contact) -> Place:
    return contact.place


def _by_place(turns: TurnAndNext) -> Place:
    return turns[0].place


def _by_rank(turns: TurnAndNext) -> tuple[int, Place]:
    turn, _ = turns
    return turn.rank or 0, turn.place


def before_others(
    state: State, mine: list[Contact], others: list[Turn], free: int
) -> list[Contact]:
    """Return which of those that wait for an agent are served now: each unless others go before it."""
    served: list[Contact] = []
    passed = 0
    for contact in mine:
        while passed < len(others) and _goes_before(
            state.contacts[others[passed].place[2]], contact
        ):
            passed += 1
        if len(served) + passed >= free:
            break
        served.append(contact)
    return served


def _goes_before(other: Contact, own: Contact) -> bool:
    """Return whether an agent has another one before their own: by priority, and by place where that is worth time.

    So the bound on how long anybody can be passed over holds for who comes later and is for the agent, too.
    """
    if other.priority_point_ms or own.priority_point_ms:
        return other.place < own.place
    return own.priority < other.priority
