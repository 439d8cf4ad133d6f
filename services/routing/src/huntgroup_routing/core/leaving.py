"""How a contact does not come into its queue, or leaves it, by a rule: to another queue, or out of routing.

Rules that speak of who comes are asked when a contact comes, however it comes; the others while it waits. A rule whose
queue is full is passed over. Within one decision each contact sees those before it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from huntgroup_routing.core.arriving import offers_on_arrival
from huntgroup_routing.core.deadlines import waits_due
from huntgroup_routing.core.estimates import estimated_wait_of_comer
from huntgroup_routing.core.messages import (
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    Event,
    ObserveContactAbandoned,
    ObserveContactQueued,
    OfferCanceled,
)
from huntgroup_routing.core.overflow import (
    HOPS_MAX,
    KEPT_FOR_MS,
    Overflow,
    OverflowAction,
    OverflowRule,
    OverflowTrigger,
)
from huntgroup_routing.core.preferring import awaited_there, offer_on_arrival
from huntgroup_routing.core.ranking import Matching
from huntgroup_routing.core.requirements import Ask
from huntgroup_routing.core.state import Awaited, Contact, Queue, State
from huntgroup_routing.core.steps import Asking, Reached
from huntgroup_routing.core.values import (
    AgentId,
    CancelReason,
    Channel,
    ContactId,
    DequeueReason,
    Own,
    QueueId,
)

CLOSED: Final = OverflowRule(trigger=OverflowTrigger.CLOSED, action=OverflowAction.HAND_BACK)
"""What holds for a closed queue that has no rule of its own, or none that leads anywhere."""


WRONG_CHANNEL: Final = OverflowRule(
    trigger=OverflowTrigger.WRONG_CHANNEL, action=OverflowAction.HAND_BACK
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comer:
    """What rules ask of a contact, whether it stands in a queue yet or not."""

    contact_id: ContactId
    channel: Channel
    own: Own
    priority: int
    enqueued_at_ms: int
    stay: int
    attempts: int
    customer_key: str
    preferred: tuple[AgentId, ...] | None
    returns: bool


@dataclass(frozen=True, slots=True)
class Hop:
    """From a queue to another one, by a rule or because somebody said so, or by a rule out of routing."""

    queue: Queue
    overflow: Overflow | None
    to: Queue | None


@dataclass(slots=True)
class Leaving:
    """Carries out rules within one decision."""

    state: State
    at_ms: int
    came: Counter[QueueId] = field(default_factory=Counter)
    """How many more stand in a queue by what was decided before."""
    onward: dict[tuple[QueueId, int], list[Hop]] = field(default_factory=dict)
    """Where the contact that is looked at goes from a queue, by the hops left: many ways may lead to one queue."""

    def on_arrival(self, queue: Queue, comer: Comer) -> list[Hop]:
        """Return where a contact goes that comes to a queue; nothing when it stays."""
        self.onward.clear()
        hops = self._counted(self._on_arrival(queue, comer, HOPS_MAX))
        if hops or not queue.is_closed:
            return hops
        return self._by(queue, CLOSED, 0, comer, HOPS_MAX)

    def by(self, queue: Queue, rule: OverflowRule, value: int, comer: Comer) -> list[Hop]:
        """Return where a contact goes by a rule that holds; nothing when every queue on the way is full."""
        self.onward.clear()
        return self._counted(self._by(queue, rule, value, comer, HOPS_MAX))

    def _counted(self, hops: list[Hop]) -> list[Hop]:
        """Let those who come after see who goes to another queue."""
        last = hops[-1].to if hops else None
        if last is not None:
            self.came[last.queue_id] += 1
        return hops

    def _on_arrival(self, queue: Queue, comer: Comer, hops_left: int) -> list[Hop]:
        key = (queue.queue_id, hops_left)
        if key not in self.onward:
            self.onward[key] = self._by_rules(queue, comer, hops_left)
        return self.onward[key]

    def _by_rules(self, queue: Queue, comer: Comer, hops_left: int) -> list[Hop]:
        for rule in queue.plan.overflow:
            value = self._compared(queue, rule, comer)
            if value is not None and (hops := self._by(queue, rule, value, comer, hops_left)):
                return hops
        return []

    def _by(
        self, queue: Queue, rule: OverflowRule, value: int, comer: Comer, hops_left: int
    ) -> list[Hop]:
        overflow = Overflow(
            trigger=rule.trigger,
            action=rule.action,
            key=rule.key,
            limit=rule.limit,
            value=value,
            endpoint=rule.endpoint,
            policy_version=queue.version,
        )
        if rule.action is not OverflowAction.QUEUE:
            return [Hop(queue, overflow, None)]
        target = self.state.queues.get(rule.queue_id)
        if target is None or target.retired or not target.takes(comer.channel):
            return []
        stands = len(target.waiting) + target.ringing + self.came[target.queue_id]
        if not hops_left or stands >= target.waiting_max:
            return []
        onward = self._on_arrival(target, comer, hops_left - 1)
        if target.is_closed and not onward:
            return []
        return [Hop(queue, overflow, target), *onward]

    def _compared(self, queue: Queue, rule: OverflowRule, comer: Comer) -> int | None:
        """Return the value for which a rule about who comes holds; None when it does not hold."""
        if comer.returns and rule.trigger is not OverflowTrigger.CLOSED:
            return None
        match rule.trigger:
            case OverflowTrigger.QUEUE_LENGTH:
                value = len(queue.waiting) + self.came[queue.queue_id]
            case OverflowTrigger.LONGEST_WAIT:
                oldest = None if queue.ages is None else queue.ages.head
                value = 0 if oldest is None else self.at_ms - oldest[0]
            case OverflowTrigger.ESTIMATED_WAIT:
                lane = (comer.priority, comer.own)
                estimate = estimated_wait_of_comer(
                    self.state, queue, comer.channel, lane, self.at_ms
                )
                value = 0 if estimate is None else estimate.wait_ms
            case OverflowTrigger.CLOSED:
                return 0 if queue.is_closed else None
            case OverflowTrigger.NOBODY_ON_DUTY:
                return None if self._somebody_could_serve(queue, comer) else 0
            case _:
                return None
        return value if value >= rule.limit else None

    def _somebody_could_serve(self, queue: Queue, comer: Comer) -> bool:
        plan, able = queue.plan, self.state.pool.able
        steps = range(len(plan.steps) + 1)
        return any(able(comer.channel, plan.ask(step, comer.own, plan.delays)) for step in steps)

    def events(self, comer: Comer, hops: list[Hop]) -> Iterator[ContactMoved | ContactDequeued]:
        """Yield what becomes of a contact on its way."""
        stay = comer.stay
        for hop in hops:
            if hop.to is None:
                yield ContactDequeued(
                    at_ms=self.at_ms,
                    contact_id=comer.contact_id,
                    queue_id=hop.queue.queue_id,
                    reason=DequeueReason.OVERFLOWED,
                    overflow=hop.overflow,
                    attempts=comer.attempts,
                    stay=stay,
                    opens_at_ms=hop.queue.opens_at_ms,
                )
                return
            stay += 1
            yield self._moved(comer, hop.queue.queue_id, hop.to, stay, hop.overflow)

    def _moved(
        self, comer: Comer, from_id: QueueId, to: Queue, stay: int, overflow: Overflow | None
    ) -> ContactMoved:
        """Return that a contact goes to another queue, and at once to the step there that its age has come to."""
        plan, own = to.plan, comer.own
        asking = Asking(comer.channel, own, self.at_ms - comer.enqueued_at_ms)
        reached = plan.reached(self.state.pool, asking, Reached(), to.figures)
        ask = plan.ask(reached.step, own, reached.delays_over)
        skills, requirement, crew, _ = ask
        awaited = self._awaited(comer, to, ask)
        return ContactMoved(
            at_ms=self.at_ms,
            contact_id=comer.contact_id,
            from_queue_id=from_id,
            queue_id=to.queue_id,
            priority=comer.priority,
            enqueued_at_ms=comer.enqueued_at_ms,
            step=reached.step,
            required_skills=skills,
            requirement=requirement,
            stay=stay,
            overflow=overflow,
            priority_point_ms=to.rules.priority_point_ms,
            delays_over=reached.delays_over,
            groups=() if crew is None else crew.groups,
            awaited_agents=() if awaited is None else awaited.agents,
            awaited_until_ms=0 if awaited is None else awaited.until_ms,
            step_trigger=reached.trigger,
            step_limit=reached.limit,
            step_value=reached.value,
        )

    def _awaited(self, comer: Comer, to: Queue, ask: Ask) -> Awaited | None:
        """Return whom a contact is to wait for in another queue: as if it came there, with its age."""
        if comer.preferred is None:
            return None
        as_if = ObserveContactQueued(
            contact_id=comer.contact_id,
            queue_id=to.queue_id,
            channel=comer.channel,
            priority=comer.priority,
            required_skills=comer.own.skills,
            enqueued_at_ms=comer.enqueued_at_ms,
            preferred_agents=comer.preferred,
            customer_key=comer.customer_key,
            requirement=comer.own.requirement,
        )
        return awaited_there(self.state, to, as_if, ask, self.at_ms)


def overflow_on_arrival(state: State, enqueued: ContactEnqueued) -> tuple[Event, ...]:
    """Return what follows for a contact that comes, when a rule of its queue sends it on; nothing when none does."""
    leaving = Leaving(state, enqueued.at_ms)
    comer = _comer(enqueued)
    hops = leaving.on_arrival(state.queues[enqueued.queue_id], comer)
    if not hops:
        return ()
    events = list(leaving.events(comer, hops))
    last = events[-1]
    if isinstance(last, ContactDequeued):
        return (enqueued, *events)
    there = replace(enqueued, queue_id=last.queue_id, awaited_agents=last.awaited_agents)
    if enqueued.awaits_turn:
        return (enqueued, *events)
    if last.awaited_agents:
        return (enqueued, *events, *offer_on_arrival(state, there))
    crew = state.queues[last.queue_id].plan.crew(last.delays_over)
    ask = (last.required_skills, last.requirement, crew, enqueued.own_requirement)
    return (enqueued, *events, *offers_on_arrival(state, there, ask))


def wrong_channel(state: State, enqueued: ContactEnqueued) -> tuple[Event, ...]:
    """Hand back a contact that comes to a queue for another channel: session did not know of that when it queued it."""
    leaving, queue = Leaving(state, enqueued.at_ms), state.queues[enqueued.queue_id]
    comer = _comer(enqueued)
    return (enqueued, *leaving.events(comer, leaving.by(queue, WRONG_CHANNEL, 0, comer)))


def _comer(enqueued: ContactEnqueued) -> Comer:
    return Comer(
        contact_id=enqueued.contact_id,
        channel=enqueued.channel,
        own=Own(enqueued.own_skills, enqueued.own_requirement),
        priority=enqueued.priority,
        enqueued_at_ms=enqueued.enqueued_at_ms,
        stay=enqueued.stay,
        attempts=enqueued.attempts,
        customer_key=enqueued.customer_key,
        preferred=enqueued.preferred_agents,
        returns=enqueued.returns,
    )


def comer_of(contact: Contact) -> Comer:
    """Return what rules ask of a contact that stands in a queue."""
    return Comer(
        contact_id=contact.contact_id,
        channel=contact.requirement.channel,
        own=contact.own,
        priority=contact.priority,
        enqueued_at_ms=contact.enqueued_at_ms,
        stay=contact.stay,
        attempts=contact.attempts,
        customer_key=contact.customer_key,
        preferred=contact.preferred,
        returns=contact.returns,
    )


def cancel(
    state: State, contact: Contact, at_ms: int, reason: CancelReason = CancelReason.CUSTOMER_EXITED
) -> Iterator[OfferCanceled]:
    """Yield the ends of the offers of a contact that is taken elsewhere, if it rings."""
    for offer in map(state.offers.__getitem__, contact.open_offers):
        yield OfferCanceled(
            at_ms=at_ms,
            offer_id=offer.offer_id,
            contact_id=offer.contact_id,
            agent_id=offer.agent_id,
            queue_id=offer.queue_id,
            reason=reason,
            ring_ms=at_ms - offer.created_at_ms,
        )


def customer_left(state: State, command: ObserveContactAbandoned, at_ms: int) -> tuple[Event, ...]:
    """Let a contact go whose customer is not there any more, or is to be called back another time."""
    contact = state.contacts.get(command.contact_id)
    if contact is None:
        return ()
    dequeued = ContactDequeued(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.queue_id,
        reason=command.reason,
        stay=contact.stay,
    )
    return (*cancel(state, contact, at_ms, CancelReason(command.reason.value)), dequeued)


Way = tuple[Contact, Comer, list[Hop]]


def follow(leaving: Leaving, ways: list[Way]) -> list[Event]:
    """Return what becomes of contacts on their ways, and the offers of those that come to another queue, by place."""
    events: list[Event] = []
    there: list[tuple[Contact, ContactMoved]] = []
    for contact, comer, hops in ways:
        on_the_way = list(leaving.events(comer, hops))
        events += on_the_way
        last = on_the_way[-1]
        if isinstance(last, ContactMoved):
            there.append((contact, last))
    matching = Matching(leaving.state, leaving.at_ms, said=len(events))
    for contact, last in sorted(there, key=lambda each: each[0].place):
        events += matching.offer_moved(contact, last)
    return events


def leave_after_wait(state: State, at_ms: int) -> tuple[Event, ...]:
    """Send on the contacts that have waited as long as their queue lets them."""
    leaving = Leaving(state, at_ms)
    kept: list[Event] = []
    ways: list[Way] = []
    for contact in waits_due(state, at_ms):
        rule = next(one for one in contact.plan.overflow if one.trigger is OverflowTrigger.WAITED)
        comer, queue = comer_of(contact), state.queues[contact.queue_id]
        hops = leaving.by(queue, rule, at_ms - contact.entered_at_ms, comer)
        if hops:
            ways.append((contact, comer, hops))
        else:
            kept.append(
                ContactKept(
                    at_ms=at_ms,
                    contact_id=contact.contact_id,
                    queue_id=contact.queue_id,
                    trigger=rule.trigger,
                    next_at_ms=at_ms + KEPT_FOR_MS,
                )
            )
    return (*kept, *follow(leaving, ways))
