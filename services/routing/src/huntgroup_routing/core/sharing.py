"""How agents serve several queues: by rank, then each queue its share, then by place.

A queue may name the agent groups that serve it, each with a rank (the lower goes first), a weight (its share of the
agents among queues of the same rank) and a delay (so long a contact waits before the group is asked). Shares are kept
by start-time fair queueing: whoever is served starts where the queue's last contact ended, or where the rank has come
to if that is later, so nobody saves up while nobody waits. All of it is whole numbers in the journalled state.
"""

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from huntgroup_routing.core.blending import BlendRule
from huntgroup_routing.core.values import Channel, Place, QueueId, ServingGroup

LAP: Final = 232_792_560
"""The least number that every weight divides: what an offer costs a queue of weight 1."""
WEIGHT_MAX: Final = 20
BY_PLACE: Final = QueueId("")
"""Stands for all queues of a rank that have no weight: they are served by place, together with weight 1."""

ENDS_KEPT: Final = 64
"""As many are never looked through for those that say nothing any more."""

Team = tuple[str, ...]
"""The groups of an agent. Agents of the same groups share out together."""


class Standing(NamedTuple):
    """How the agents of a group serve a queue."""

    group: str
    """Empty: agents of none of the groups named beside."""
    rank: int
    weight: int
    """0: by place."""


class Crew(NamedTuple):
    """The agent groups that may be asked for contacts of a queue."""

    queue_id: QueueId
    standings: tuple[Standing, ...]
    later: tuple[str, ...] = ()
    """Groups whose delays are not over, or who serve the queue only while it needs them."""

    @property
    def has_weight(self) -> bool:
        """Whether some group gives the queue a share."""
        return any(one.weight for one in self.standings)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups."""
        return tuple(one.group for one in self.standings)

    def standing_of(self, groups: frozenset[str]) -> Standing | None:
        """Return the best standing of an agent of such groups, the first of those; None when they are not asked."""
        mine = [one for one in self.standings if one.group in groups]
        if not mine and groups.isdisjoint(self.later):
            mine = [one for one in self.standings if not one.group]
        return min(mine, key=lambda one: one.rank, default=None)


CrewFrom = tuple[int, Crew]
"""From what age of a contact on (ms), and who serves it then."""


def crews_of(
    queue_id: QueueId,
    groups: tuple[ServingGroup, ...],
    blend: tuple[BlendRule, ...] = (),
    blended: Collection[str] = (),
) -> tuple[CrewFrom, ...]:
    """Return who serves the contacts of a queue as they grow older; nothing when it names no groups.

    Groups that `blend` names serve it only while they are `blended`.
    """
    here = tuple(Standing(one.group, one.rank, 0) for one in blend if one.group in blended)
    away = tuple(one.group for one in blend if one.group not in blended)
    return tuple(
        (
            after_ms,
            Crew(
                queue_id,
                tuple(
                    Standing(one.group, one.rank, one.weight)
                    for one in groups
                    if one.delay_ms <= after_ms
                )
                + here,
                tuple(one.group for one in groups if one.delay_ms > after_ms) + away,
            ),
        )
        for after_ms in sorted({one.delay_ms for one in groups})
    )


def groups_of(crews: tuple[CrewFrom, ...]) -> tuple[ServingGroup, ...]:
    """Return the groups as the queue named them."""
    return tuple(
        ServingGroup(
            group=one.group,
            rank=one.rank,
            weight=one.weight,
            delay_ms=next(after_ms for after_ms, crew in crews if one in crew.standings),
        )
        for one in (crews[-1][1].standings if crews else ())
    )


@dataclass(slots=True, kw_only=True, eq=False)
class Shares:
    """How far the queues of one rank have come with one team."""

    clock: int = 0
    """Where the last one that was served began."""
    ends: dict[QueueId, int] = field(default_factory=dict)
    """Where each ended that was served of late; `BY_PLACE` for those without a weight."""

    def start(self, of: QueueId) -> int:
        """Return where a queue would begin."""
        return max(self.clock, self.ends.get(of, 0))

    def serve(self, of: QueueId, weight: int) -> None:
        """Let a queue have a contact offered."""
        self.clock = self.start(of)
        if of not in self.ends:
            self._forget()
        self.ends[of] = self.clock + LAP // max(1, weight)

    def _forget(self) -> None:
        """Drop the ends that the clock has passed, whenever twice as many are kept: that is as if they never were."""
        count = len(self.ends)
        if count >= ENDS_KEPT and count.bit_count() == 1:
            self.ends = {of: end for of, end in self.ends.items() if end > self.clock}

    def copy(self) -> "Shares":
        """Return the same, to reckon ahead with."""
        return Shares(clock=self.clock, ends=dict(self.ends))


TeamShares = dict[tuple[Channel, int], Shares]
"""By channel and rank."""


SharesRow = tuple[Team, Channel, int, int, tuple[tuple[QueueId, int], ...]]
"""As shares are written: team, channel, rank, clock, and the ends by queue."""


def rows_of(shares: Mapping[Team, TeamShares]) -> tuple[SharesRow, ...]:
    """Return shares as they are written, sorted."""
    return tuple(
        (team, channel, rank, one.clock, tuple(sorted(one.ends.items())))
        for team, of_team in sorted(shares.items())
        for (channel, rank), one in sorted(of_team.items(), key=lambda each: each[0])
    )


def shares_of(rows: Iterable[SharesRow]) -> dict[Team, TeamShares]:
    """Return what was written."""
    shares: dict[Team, TeamShares] = {}
    for team, channel, rank, clock, ends in rows:
        shares.setdefault(team, {})[channel, rank] = Shares(clock=clock, ends=dict(ends))
    return shares


def serve(
    shares: TeamShares, channel: Channel, standing: Standing | None, queue_id: QueueId
) -> None:
    """Count an offer to an agent of a team."""
    rank, weight = (standing.rank, standing.weight) if standing else (0, 0)
    shares.setdefault((channel, rank), Shares()).serve(queue_id if weight else BY_PLACE, weight)


class Turn(NamedTuple):
    """Whose turn it is."""

    place: Place
    rank: int | None = None
    """None: nobody who waits is served by rank."""


ServedLine = tuple[Standing | None, QueueId | None, Iterable[Place]]
"""How an agent serves a line (None: nobody said, so rank 0 and by place), its queue then, and who waits in it."""


def in_turn(
    lines: Iterable[ServedLine],
    shares: Mapping[tuple[Channel, int], Shares] | None,
    channel: Channel,
) -> Iterator[Turn]:
    """Yield whose turn it is, one after another: lowest rank, then who has come least far, then by place.

    No shares: no queue has a weight.
    """
    by_rank, ranks = False, dict[int, dict[tuple[QueueId, int], list[Iterable[Place]]]]()
    for standing, queue_id, line in lines:
        rank, weight = (standing.rank, standing.weight) if standing else (0, 0)
        weight = 0 if shares is None else weight
        of = (queue_id or BY_PLACE) if weight else BY_PLACE
        ranks.setdefault(rank, {}).setdefault((of, weight), []).append(line)
        by_rank = by_rank or standing is not None
    for rank in sorted(ranks):
        so_far = None if shares is None else shares.get((channel, rank))
        for place in _in_shares(ranks[rank], Shares() if so_far is None else so_far.copy()):
            yield Turn(place, rank if by_rank else None)


def _in_shares(
    lines: Mapping[tuple[QueueId, int], list[Iterable[Place]]], so_far: Shares
) -> Iterator[Place]:
    """Yield the places of one rank in turn, as if each was offered."""
    merged = {of: heapq.merge(*parts) for of, parts in lines.items()}
    heads = {of: place for of, line in merged.items() if (place := next(line, None)) is not None}
    while heads:
        of = min(heads, key=lambda one: (so_far.start(one[0]), heads[one]))
        yield heads[of]
        so_far.serve(*of)
        following = next(merged[of], None)
        if following is None:
            del heads[of]
        else:
            heads[of] = following
