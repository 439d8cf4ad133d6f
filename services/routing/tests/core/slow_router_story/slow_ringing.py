"""Contacts that ring at several agents in the slow router: at whom next, and how idle who rang in vain has been."""

from collections.abc import Sequence
from dataclasses import dataclass

from huntgroup_routing.core.values import Channel, Strategy

from .slow_choosing import SlowChoosing
from .slow_people import SlowAgent, SlowContact, SlowOffer, can


@dataclass
class SlowRinging(SlowChoosing):
    def offer(
        self,
        contact: SlowContact,
        agent: SlowAgent,
        without: list[SlowAgent],
        following: str,
        *,
        alone: bool = False,
    ) -> None:
        raise NotImplementedError

    def widened(self) -> bool:
        """Let contacts that ring ring at one more, when it is time; all at once. Return whether any did."""
        due = [one for one in self.contacts if 0 < one.widens_at_ms <= self.at_ms]
        for contact in sorted(due, key=lambda one: one.place):
            queue = self.queues[contact.queue_id]
            contact.widens_at_ms = 0
            if queue.strategy is Strategy.RING_PROGRESSIVELY:
                contact.target = max(contact.target, min(contact.target + 1, queue.ring_max))
                if contact.target < queue.ring_max:
                    contact.widens_at_ms = self.at_ms + queue.ring_every_ms
            contact.lately = self.let_go_lately(contact)
            self.ring_on(contact, [])
        return bool(due)

    def ring_on(self, contact: SlowContact, without: list[SlowAgent]) -> None:
        """Let a contact ring at further agents, the longest idle first, whom it has not asked."""
        fitting = sorted(self.idle_for(contact), key=lambda one: one.idle[contact.channel])
        for agent in fitting:
            asked = agent.agent_id in contact.asked | contact.lately
            if not asked and agent not in without and len(self.open(contact)) < contact.target:
                self.offer(contact, agent, without, "")

    def ring_along(self, agent: SlowAgent, channel: Channel, let_go: Sequence[SlowContact]) -> None:
        """Let an agent for whom nobody waits ring with contacts that ring and may ring at one more.

        Not with who was taken from them in this decision.
        """
        roomy = [
            one
            for one in self.contacts
            if one.channel is channel
            and one not in let_go
            and can(agent, one)
            and 0 < len(self.open(one)) < one.target
        ]
        for contact in sorted(roomy, key=lambda one: one.place)[:16]:
            asked = contact.asked | self.let_go_lately(contact)
            if channel in agent.idle and agent.agent_id not in asked:
                self.offer(contact, agent, [], "")

    def idle_before(self, offer: SlowOffer) -> tuple[int, int, int] | None:
        """Return the idleness that goes on after an offer that rang at others, too."""
        if offer.parked is None or not any(one.rings for one in self.queues.values()):
            return None
        idle = offer.agent.idle.get(offer.contact.channel)
        if idle is None or idle > offer.parked[:2]:
            return offer.parked
        return (*idle, offer.agent.work[offer.contact.channel].idle_ms)
