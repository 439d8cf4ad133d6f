"""What the slow router does with contacts that are for certain agents: all of them looked at, each time."""

from dataclasses import dataclass, field

from msgspec.structs import replace as replaced

from huntgroup_routing.core.messages import ObserveContactQueued
from huntgroup_routing.core.values import BATCH_PAIRS_MAX, Channel, Strategy

from .slow_overflow import SlowOverflow
from .slow_people import SlowAgent, SlowContact, SlowOffer, can

TURN = ("",)
"""Awaits nobody: a callback whose customer is called when its turn comes near."""


@dataclass
class SlowPreferring(SlowOverflow):
    last_agents: dict[str, str] = field(default_factory=dict)
    lost: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """By queue and customer, since when who left had waited, and when they left."""
    seen: set[str] = field(default_factory=set)

    def held_by(self, agent: SlowAgent) -> list[SlowOffer]:
        return [one for one in self.offers if one.held and one.agent is agent]

    def free(self, agent: SlowAgent, channel: Channel) -> int:
        return agent.room([one.contact.channel for one in self.held_by(agent)], channel)

    def offer_for(self, contact: SlowContact, agent: SlowAgent) -> None:
        raise NotImplementedError

    def open(self, contact: SlowContact) -> list[SlowOffer]:
        return [one for one in self.offers if one.pending and one.contact is contact]

    def let_go_lately(self, contact: SlowContact) -> set[str]:
        after_ms = self.at_ms - self.queues[contact.queue_id].reoffer_after_ms
        return {one for one, at_ms in contact.let_go_by[-8:] if at_ms > after_ms}

    def on_duty(self, contact: SlowContact) -> bool:
        return any(
            one.joined and contact.channel in one.slots and can(one, contact) for one in self.agents
        )

    def forget_parked(self, agent: SlowAgent, *channels: Channel) -> None:
        for offer in self.held_by(agent):
            if not channels or offer.contact.channel in channels:
                offer.parked = None

    def agents_named(self, names: tuple[str, ...]) -> list[SlowAgent]:
        return [one for name in names for one in self.agents if one.agent_id == name]

    def resumed(self, command: ObserveContactQueued) -> ObserveContactQueued:
        """Return a contact with the age of the one that its customer was lost in, if that was here and lately."""
        queue_id, key = str(command.queue_id), command.customer_key
        enqueued_at_ms, left_at_ms = self.lost.get((queue_id, key), (0, 0))
        resume_ms = self.queues[queue_id].resume_ms
        if not key or not resume_ms or (queue_id, key) not in self.lost:
            return command
        if self.at_ms > left_at_ms + resume_ms:
            return command
        del self.lost[queue_id, key]
        return replaced(command, enqueued_at_ms=min(enqueued_at_ms, command.enqueued_at_ms))

    def remember_lost(self, contact_id: str) -> None:
        for one in self.contacts:
            wanted = one.customer and self.queues[one.queue_id].resume_ms
            if one.contact_id == contact_id and wanted:
                self.lost[one.queue_id, one.customer] = (one.enqueued_at_ms, self.at_ms)

    def awaits(self, contact: SlowContact, command: ObserveContactQueued) -> bool:
        """Let a contact that comes wait for whom it is for; return whether it does, or rings at one of them."""
        queue = self.queues[command.queue_id]
        if command.direct_agent_id:
            until_ms = command.enqueued_at_ms + queue.direct_hold_ms if queue.direct_hold_ms else 0
            named = self.agents_named((command.direct_agent_id,))
            here = any(one.joined and contact.channel in one.slots for one in named)
            if until_ms <= self.at_ms if until_ms else not here:
                return False
            contact.awaited, contact.awaited_until_ms = (command.direct_agent_id,), until_ms
            contact.direct = True
        elif not self.prefers(contact):
            return False
        self.find_awaited(contact)
        return True

    def prefers(self, contact: SlowContact) -> bool:
        """Let a contact wait for whom it is for where it stands now; return whether it does."""
        if contact.awaited == TURN:
            return True
        queue, names = self.queues[contact.queue_id], contact.preferred
        contact.awaited, contact.direct = (), False
        if names is None:
            return False
        if not names and queue.prefers_last and contact.customer in self.last_agents:
            names = (self.last_agents[contact.customer],)
        ready = [
            one.agent_id
            for one in self.agents_named(names)
            if one.joined and one.ready and contact.channel in one.slots and can(one, contact)
        ]
        until_ms = contact.enqueued_at_ms + queue.preferred_hold_ms
        idle = [one for one in self.agents_named(tuple(ready)) if contact.channel in one.idle]
        if not ready or (until_ms <= self.at_ms and not idle):
            return False
        contact.awaited, contact.awaited_until_ms = tuple(ready), max(until_ms, self.at_ms + 1)
        return True

    def find_awaited(self, contact: SlowContact) -> None:
        for agent in self.agents_named(contact.awaited):
            if contact.channel in agent.idle:
                self.offer_for(contact, agent)
                return

    def find_agents(self, contacts: list[SlowContact], without: list[SlowAgent]) -> None:
        raise NotImplementedError

    def find_in_turn(self, contacts: list[SlowContact]) -> None:
        """Find agents for contacts that came to other queues: first it is known whom each is for."""
        for contact in contacts:
            self.prefers(contact)
        for contact in sorted(contacts, key=lambda one: one.place):
            if contact.awaited:
                self.find_awaited(contact)
            else:
                self.find_agents([contact], [])

    def call_in_turn(self) -> None:
        """Let go the first of each queue who waits for a turn that has come near; they may come again."""
        for queue_id, queue in self.queues.items():
            waiting = [one for one in self.contacts if one.queue_id == queue_id and not one.ringing]
            waiting.sort(key=lambda one: one.place)
            near = [one for one in waiting[: queue.dial_ahead] if one.awaited == TURN]
            first = [one for one in waiting if one.awaited == TURN][:1]
            first = [one for one in first if self.on_duty(one)]
            for contact in near[:1] if near[:1] == first else []:
                self.gave_up(contact)
                self.contacts.remove(contact)
                self.seen.discard(contact.contact_id)

    def serve_own(self, agent: SlowAgent) -> list[SlowContact]:
        """Let an agent who becomes idle have whoever waits for them before others of no higher priority.

        Where channels share, return who is to be served between others of other channels.
        """
        own = [one for channel in sorted(agent.slots) for one in self.own_of(agent, channel)]
        if not agent.is_sharing:
            self.serve_before(agent, own)
        return own

    def serve_before(
        self, agent: SlowAgent, own: list[SlowContact], other: SlowContact | None = None
    ) -> None:
        """Let an agent have those of their own that go before another one; before nobody, all."""
        for contact in sorted(own, key=lambda one: one.place) if agent.is_sharing else [*own]:
            if other is None or not other.goes_before(contact):
                own.remove(contact)
                if contact.channel in agent.idle:
                    self.offer_for(contact, agent)

    def own_of(self, agent: SlowAgent, channel: Channel) -> list[SlowContact]:
        waiting = [one for one in self.contacts if one.channel is channel and not one.ringing]
        waiting.sort(key=lambda one: one.place)
        mine = [one for one in waiting if agent.agent_id in one.awaited]
        others = [one for one in waiting if not one.awaited and can(agent, one)]
        own = []
        for _ in range(self.free(agent, channel) if channel in agent.idle else 0):
            if mine and not (others and others[0].goes_before(mine[0])):
                own.append(mine.pop(0))
            elif others:
                others.pop(0)
        return own

    def give_up_on(self, agent: SlowAgent) -> None:
        """Let those have anybody who would await without end one agent alone, who has not their channel any more."""
        due = [
            one
            for one in self.contacts
            if one.direct and agent.agent_id in one.awaited and not one.ringing
        ]
        due = [one for one in due if not one.awaited_until_ms and one.channel not in agent.slots]
        for contact in due:
            contact.awaited = ()
        self.find_agents(due, [])

    def lose(self, agent: SlowAgent) -> None:
        for contact in self.contacts:
            if not contact.ringing and agent.agent_id in contact.awaited:
                self.shorten(contact)

    def shorten(self, contact: SlowContact) -> None:
        """Let the wait end for which nobody is ready any more."""
        named, until_ms = self.agents_named(contact.awaited), contact.awaited_until_ms
        if contact.direct:
            here = any(one.joined and contact.channel in one.slots for one in named)
            ready = until_ms > 0 or here
        else:
            ready = any(one.joined and one.ready for one in named)
        if contact.awaited and not ready and (until_ms == 0 or until_ms > self.at_ms):
            contact.awaited_until_ms = max(1, self.at_ms)

    def awaits_still(self, contact: SlowContact, failed: list[SlowOffer]) -> None:
        """Let a contact go on waiting for whom it was for, unless it rang at one of them."""
        awaited = contact.awaited
        if awaited == TURN or any(one.agent.agent_id in awaited for one in failed):
            contact.awaited, contact.preferred = (), None
        self.shorten(contact)

    def find_own(self, contact: SlowContact, without: list[SlowAgent]) -> None:
        for agent in self.agents_named(contact.awaited):
            if contact.channel in agent.idle and agent not in without and not contact.ringing:
                self.offer_for(contact, agent)

    def lapsed(self) -> bool:
        """Let those go over to anybody who have waited enough; return whether there were any."""
        due = [
            one
            for one in self.contacts
            if one.awaited and not one.ringing and 0 < one.awaited_until_ms <= self.at_ms
        ]
        for contact in due:
            contact.awaited = ()
        self.find_agents(due, [])
        return bool(due)

    def compete(self, todo: list[SlowContact], without: list[SlowAgent]) -> bool:
        """Return whether contacts are looked at together: each is offered to one agent, and they are not too many."""
        queues = [self.queues[one.queue_id] for one in todo]
        if any(one.ringing or one.awaited for one in todo) or len(todo) < 2:
            return False
        if any(one.rings or one.strategy is Strategy.SCORED for one in queues):
            return False
        alike: dict[object, list[SlowContact]] = {}
        for one in todo:
            groups = (one.queue_id, one.asked_of) if one.groups else ()
            asked = (one.requirement, one.own_requirement, groups)
            alike.setdefault((one.channel, one.skills, asked), []).append(one)
        pairs = 0
        for contacts in alike.values():
            channel = contacts[0].channel
            idle = [one for one in self.able(contacts[0]) if one not in without]
            if len(idle) < len(todo):
                if any(one.units or any(one.interrupts.values()) for one in idle):
                    return False
                slots = sum(self.free(one, channel) for one in idle)
                pairs += len(contacts[:slots]) * len(idle)
        return pairs <= BATCH_PAIRS_MAX

    def able(self, contact: SlowContact) -> list[SlowAgent]:
        return [one for one in self.agents if contact.channel in one.idle and can(one, contact)]

    def first_served(self, todo: list[SlowContact], without: list[SlowAgent]) -> list[SlowContact]:
        """Return whom to serve: as many as possible, and of all such choices those who stand first."""
        chosen: list[SlowContact] = []
        for contact in todo:
            if self.served([*chosen, contact], without, None) > len(chosen):
                chosen.append(contact)
        return chosen

    def spare(
        self,
        idle: list[SlowAgent],
        contact: SlowContact,
        rest: list[SlowContact],
        without: list[SlowAgent],
    ) -> list[SlowAgent]:
        """Return the agents of whom one slot may be given to a contact, and as many others are served."""
        most = self.served(rest, without, None)
        channel = contact.channel
        return [one for one in idle if self.served(rest, without, (one, channel)) == most]

    def served(
        self,
        contacts: list[SlowContact],
        without: list[SlowAgent],
        but: tuple[SlowAgent, Channel] | None,
    ) -> int:
        """Return how many contacts can be served together, when one slot of an agent is taken."""
        seats = {
            (agent.agent_id, channel, number)
            for agent in self.agents
            for channel in agent.idle
            for number in range(self.free(agent, channel) - ((agent, channel) == but))
            if agent not in without
        }
        sits: dict[tuple[str, Channel, int], SlowContact] = {}

        def seat(contact: SlowContact, tried: set[tuple[str, Channel, int]]) -> bool:
            names = {one.agent_id for one in self.able(contact)}
            for one in sorted(seats - tried):
                if one in tried or one[0] not in names or one[1] is not contact.channel:
                    continue
                tried.add(one)
                if one not in sits or seat(sits[one], tried):
                    sits[one] = contact
                    return True
            return False

        return sum(seat(contact, set()) for contact in contacts)
