"""Whom the slow router chooses: of agents by the strategy of the queue, of contacts by rank, share and place."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from huntgroup_routing.core.selection import draw
from huntgroup_routing.core.values import Channel, QueueId, Strategy

from .slow_blending import SlowBlending
from .slow_people import REQUIREMENTS, SlowAgent, SlowContact, can, team, terms

Record = dict[tuple[frozenset[str], Channel, int], tuple[Fraction, dict[str, Fraction]]]
"""By team, channel and rank: where the last one served began, and where each queue ended."""


@dataclass
class SlowChoosing(SlowBlending):
    shares: Record = field(default_factory=dict)

    def idle_for(self, contact: SlowContact) -> Iterator[SlowAgent]:
        for agent in self.agents:
            if contact.channel in agent.idle and can(agent, contact):
                yield agent

    def choose(self, contact: SlowContact, idle: list[SlowAgent]) -> SlowAgent:
        queue, channel = self.queues[contact.queue_id], contact.channel
        idle.sort(key=lambda one: one.idle[channel])
        by_name = sorted(idle, key=lambda one: one.agent_id)

        def weight(one: SlowAgent) -> int:
            texts = (contact.requirement, contact.own_requirement)
            counted = contact.skills.union(*(REQUIREMENTS[one][1] for one in texts))
            return sum(one.levels.get(skill, 0) for skill in counted)

        def occupancy(one: SlowAgent) -> int:
            work = one.work[channel]
            total_ms = work.handle_ms + work.idle_ms
            return work.handle_ms * 1_000_000 // total_ms if total_ms else 0

        match queue.strategy:
            case Strategy.LONGEST_IDLE | Strategy.RING_ALL | Strategy.RING_PROGRESSIVELY:
                return idle[0]
            case Strategy.MOST_IDLE:
                return min(idle, key=lambda one: one.idle[channel][1] - one.work[channel].idle_ms)
            case Strategy.FEWEST_CONTACTS:
                return min(idle, key=lambda one: one.work[channel].contacts)
            case Strategy.LEAST_HANDLE_TIME:
                return min(idle, key=lambda one: one.work[channel].handle_ms)
            case Strategy.LEAST_OCCUPIED:
                return min(idle, key=occupancy)
            case Strategy.ROUND_ROBIN:
                after = [one for one in by_name if one.agent_id > queue.last_agent_id]
                return (after or by_name)[0]
            case Strategy.LINEAR:
                return by_name[0]
            case Strategy.SCORED:
                return max(idle, key=lambda one: int(one.agent_id[1:]) % 3)
            case Strategy.BEST_SKILL:
                return max(idle, key=weight)
            case Strategy.RANDOM | Strategy.WEIGHTED_RANDOM:
                number = draw("acme/emea", QueueId(contact.queue_id), queue.offers)
                if queue.strategy is Strategy.RANDOM:
                    return by_name[number % len(by_name)]
                by_name.sort(key=lambda one: max(1, weight(one)))
                tickets = [one for one in by_name for _ in range(max(1, weight(one)))]
                return tickets[number % len(tickets)]

    def whose_turn(
        self, agent: SlowAgent, waiting: list[SlowContact], before: list[SlowContact]
    ) -> SlowContact:
        """Lowest rank, then whose queue has come least far with the agent's team, then by place."""
        record = copy.deepcopy(self.shares)
        for contact in before:
            self.count(record, agent, contact)
        rank = min(terms(agent, one)[0] for one in waiting)
        fitting = [one for one in waiting if terms(agent, one)[0] == rank]

        def come(contact: SlowContact) -> Fraction:
            if not self.weighted():
                return Fraction(0)
            clock, ends = record.get((team(agent), contact.channel, rank), (Fraction(0), {}))
            of = contact.queue_id if terms(agent, contact)[1] else ""
            return max(clock, ends.get(of, Fraction(0)))

        return min(fitting, key=lambda one: (come(one), one.place))

    def count(self, record: Record, agent: SlowAgent, contact: SlowContact) -> None:
        if not self.weighted():
            return
        rank, weight = terms(agent, contact)
        clock, ends = record.get((team(agent), contact.channel, rank), (Fraction(0), {}))
        of = contact.queue_id if weight else ""
        clock = max(clock, ends.get(of, Fraction(0)))
        ends = {**ends, of: clock + Fraction(1, max(1, weight))}
        record[team(agent), contact.channel, rank] = (clock, ends)

    def team_left(self, agent: SlowAgent) -> None:
        """Forget the shares of a team whose last agent leaves."""
        others = (one for one in self.agents if one is not agent)
        if not any(one.joined and team(one) == team(agent) for one in others):
            self.shares = {key: one for key, one in self.shares.items() if key[0] != team(agent)}
