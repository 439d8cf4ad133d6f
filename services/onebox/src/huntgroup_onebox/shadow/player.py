"""A second core with another policy is told what really happened, and decides by itself.

Where it makes the same offer at the same moment, the agent answers as they did. Any other offer ends as the offer of
the same number of that contact did, is taken after as long as it really rang, and keeps the agent as long as the
contact really did. With the same policy every offer is the same, so the shadow is exactly what was.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from msgspec.structs import replace

from huntgroup_onebox.shadow.past import Answer, Past
from huntgroup_onebox.shadow.stated import comes_as_it_did, command_of, queued
from huntgroup_routing.core.arriving import offers_on_arrival
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.hours import CloseQueue, OpenQueue
from huntgroup_routing.core.messages import (
    AcceptOffer,
    AgentCapacityFreed,
    AssignContact,
    Command,
    ConfigureQueue,
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    ContactReplanned,
    ContactRequeued,
    ContactStepped,
    Event,
    ExitQueue,
    MoveContact,
    ObserveAgentReleased,
    ObserveContactAbandoned,
    ObserveOfferTurnedAway,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PassTime,
    PolicyApplied,
    PreferenceLapsed,
    PullContact,
    QueueConfigured,
    QueueRetired,
    Reason,
    Refused,
    RejectOffer,
    RingWidened,
    ScorerFailed,
    SetContactPriority,
)
from huntgroup_routing.core.overflow import OverflowTrigger
from huntgroup_routing.core.policy import rules_of
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import NOBODY, Contact, State, initial
from huntgroup_routing.core.values import (
    AgentId,
    ContactId,
    DecisionRule,
    DequeueReason,
    Explanation,
    OfferId,
    QueueId,
    RescindReason,
    StepDue,
)

ANSWER, DECLINE, FREE, TIME = range(4)
NO_OFFER: Final = OfferId("")
LATE_MS: Final = 10_000
"""Time that had passed was noticed so much later at most."""

HANDED_OUT: Final = (DecisionRule.PULLED, DecisionRule.ASSIGNED)
BY_HAND: Final = (CloseQueue, OpenQueue, MoveContact, SetContactPriority)
"""What somebody did, and the other policy may make impossible."""


@dataclass(slots=True)
class Shadow:
    """Takes the events of one domain, in order."""

    domain: str
    """Chance goes by its name."""
    past: Past
    rules: Mapping[QueueId, ConfigureQueue]
    """The other policy; queues that it does not name keep the rules that they have."""
    scorers: Mapping[str, Scorer] = field(default_factory=dict)
    """Those that queues may name."""
    state: State = field(init=False)
    answers: dict[ContactId, Answer] = field(default_factory=dict)
    left_at_ms: dict[ContactId, int] = field(default_factory=dict)
    sent_away: set[ContactId] = field(default_factory=set)
    """Of those that left, whom a rule sent out of routing, and callbacks that are put off or over."""
    offers: int = 0
    same: int = 0
    """Of them, made really, too: of the same contact to the same agent at the same moment."""
    refused: list[str] = field(default_factory=list)
    """What the core would not do, of the other policy's queues and of what it needs."""
    unrepeated: Counter[str] = field(default_factory=Counter)
    """By kind: what really happened that the shadow did not repeat, though the contact was there."""
    _ours: dict[OfferId, OfferId] = field(default_factory=dict)
    """The shadow's offers by those really made that they are the same as."""
    _real: dict[OfferId, OfferId] = field(default_factory=dict)
    _fresh: dict[OfferId, OfferCreated] = field(default_factory=dict)
    """Made at this moment; whether they are the same is not told yet."""
    _fresh_at_ms: int = 0
    _calendar: list[tuple[int, int, int, OfferId, AgentId]] = field(default_factory=list)
    _ties: int = 0
    _first_to_step: StepDue | None = None
    """Who was expected last to come to a step by its trigger."""
    _tried: Counter[ContactId] = field(default_factory=Counter)
    """How many of a contact's offers were not made really."""

    def __post_init__(self) -> None:
        self.state = initial(self.domain)
        self.state.scorers = self.scorers
        self.state.explains = False

    def take(self, event: Event) -> None:
        """Let time pass until an event, and do what it means for the shadow."""
        at_ms = event.at_ms
        if (self._fresh and self._fresh_at_ms < at_ms) or (
            self._calendar and self._calendar[0][0] < at_ms
        ):
            self._until(at_ms)
        if isinstance(event, OfferCreated):
            if event.explanation is not None and event.explanation.rule in HANDED_OUT:
                self._by_hand(event, event.explanation)
            self._compare(event)
        elif isinstance(event, OfferAccepted) and self._is_that(event.offer_id, event.contact_id):
            evolve(self.state, event)  # the very same: there is nothing to decide
            self.answers[event.contact_id] = Answer(event.agent_id, at_ms)
        elif isinstance(event, AgentCapacityFreed):
            released = self._of_same(ObserveAgentReleased, event.offer_id, event.agent_id)
            if released is not None:
                self._tell(released, at_ms)
        elif isinstance(event, ContactEnqueued):
            if event.queue_id not in self.rules and comes_as_it_did(event, self.state):
                self._do((event, *offers_on_arrival(self.state, event)))
            else:
                self._tell(queued(event, self.state), at_ms)
        elif isinstance(event, QueueConfigured | QueueRetired | PolicyApplied):
            self._follow(event)
        elif (command := self._means(event)) is not None:
            self._tell(command, event.at_ms)

    def finish(self) -> None:
        """Let everybody be served who still can be."""
        self._settle()
        while self._calendar:
            self._until(self._calendar[0][0] + 1)

    def _means(self, event: Event) -> Command | None:
        match event:
            case OfferAccepted():
                return self._of_same(AcceptOffer, event.offer_id, event.agent_id)
            case ContactDequeued() | ContactMoved() | ContactKept():
                return self._of_leaving(event)
            case (
                OfferExpired()
                | ContactStepped()
                | ContactReplanned()
                | RingWidened()
                | PreferenceLapsed()
            ):
                return PassTime()
            case ScorerFailed():
                self.unrepeated[ScorerFailed.__name__] += 1
                return None
            case OfferRejected() if event.offer_id in self._ours:
                return RejectOffer(
                    offer_id=self._ours[event.offer_id],
                    agent_id=event.agent_id,
                    reason=event.reason,
                )
            case OfferRescinded(reason=RescindReason.AGENT_TURNED_AWAY):
                return self._of_same(ObserveOfferTurnedAway, event.offer_id, event.agent_id)
            case _:
                return command_of(event)

    def _of_leaving(self, event: ContactDequeued | ContactMoved | ContactKept) -> Command | None:
        """Return what a contact that left was told, or why it went: by its customer, by key, or by time alone."""
        if isinstance(event, ContactKept):
            return PassTime()
        if isinstance(event, ContactMoved) and event.overflow is None:
            return MoveContact(contact_id=event.contact_id, queue_id=event.queue_id)
        if event.overflow is not None and event.overflow.trigger is OverflowTrigger.EXIT_KEY:
            return ExitQueue(contact_id=event.contact_id, key=event.overflow.key)
        if isinstance(event, ContactDequeued) and event.reason is DequeueReason.CALLBACK_DUE:
            return PassTime()
        if isinstance(event, ContactDequeued) and event.reason is not DequeueReason.OVERFLOWED:
            return ObserveContactAbandoned(contact_id=event.contact_id, reason=event.reason)
        contact = self.state.contacts.get(event.contact_id)
        leaves_at_ms = None if contact is None else contact.leaves_at_ms
        return PassTime() if leaves_at_ms is not None and leaves_at_ms <= event.at_ms else None

    def _of_same(
        self,
        kind: type[AcceptOffer] | type[ObserveAgentReleased] | type[ObserveOfferTurnedAway],
        real_id: OfferId,
        agent_id: AgentId,
    ) -> Command | None:
        if real_id not in self.past.outcomes:
            # A word about an offer that is not told of ends doubt all the same.
            return kind(offer_id=real_id, agent_id=agent_id)
        offer_id = self._ours.get(real_id)
        return None if offer_id is None else kind(offer_id=offer_id, agent_id=agent_id)

    def _is_that(self, real_id: OfferId, contact_id: ContactId) -> bool:
        """Return whether an offer made really rings in the shadow under the same id, and at nobody else."""
        same = self._ours.get(real_id) == real_id and real_id in self.state.offers
        return same and self.state.contacts[contact_id].ring is None

    def _follow(self, event: QueueConfigured | QueueRetired | PolicyApplied) -> None:
        """Let the policy be what it was, but for the queues that the other one names."""
        other = None if isinstance(event, PolicyApplied) else self.rules.get(event.queue_id)
        configured = (other or event) if isinstance(event, QueueConfigured) else None
        if configured is not None and configured.scorer and configured.scorer not in self.scorers:
            self.refused.append(
                f"queue {configured.queue_id}: scorer {configured.scorer!r} is not installed here"
            )
        if other is None:
            evolve(self.state, event)
            if self.state.outdated:
                self._schedule(event.at_ms + LATE_MS)
        elif isinstance(event, QueueConfigured) and event.queue_id not in self.state.queues:
            rules = rules_of(other, event.at_ms)
            if isinstance(rules, Refused):
                self.refused.append(f"queue {event.queue_id}: {rules.detail}")
            else:
                evolve(self.state, replace(rules, domain_version=event.domain_version))

    def _by_hand(self, real: OfferCreated, why: Explanation) -> None:
        """Let a contact be taken or given out by hand as it was, if it waits and the agent is free."""
        command: Command = PullContact(contact_id=real.contact_id, agent_id=real.agent_id)
        if why.rule is DecisionRule.ASSIGNED:
            command = AssignContact(
                contact_id=real.contact_id,
                agent_id=real.agent_id,
                supervisor_id=AgentId(why.asked_by),
                waive_requirement=True,
            )
        self._tell(command, real.at_ms)

    def _compare(self, real: OfferCreated) -> None:
        """Note which offer of this moment is the same as one that was made really, if any."""
        ours = self._fresh.get(real.offer_id)
        if ours is None or ours.agent_id != real.agent_id:
            ours = next(filter(lambda one: _is_same(one, real), self._fresh.values()), None)
            if ours is None:
                return
        offer_id = ours.offer_id
        self.same += 1
        self._ours[real.offer_id] = offer_id
        self._real[offer_id] = real.offer_id
        del self._fresh[offer_id]
        if ours.expires_at_ms != real.expires_at_ms or self.past.outcomes[real.offer_id] is None:
            self._lease(ours)

    def _until(self, at_ms: int) -> None:
        """Let happen what is due before a moment; what was made at an earlier one is the shadow's own by now."""
        if self._fresh and self._fresh_at_ms < at_ms:
            self._settle()
        while self._calendar and self._calendar[0][0] < at_ms:
            now_ms, _, what, offer_id, agent_id = heapq.heappop(self._calendar)
            if what == TIME:
                self._tell(PassTime(), now_ms)
            elif what == FREE:
                self._tell(ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id), now_ms)
            elif offer_id in self.state.offers and what == DECLINE:
                self._tell(RejectOffer(offer_id=offer_id, agent_id=agent_id, reason=""), now_ms)
            elif offer_id in self.state.offers:
                self._tell(AcceptOffer(offer_id=offer_id, agent_id=agent_id), now_ms)
            self._settle()

    def _settle(self) -> None:
        """Let offers that were not made really end as the contact's offer of the same number did."""
        for offer in self._fresh.values():
            self._lease(offer)
            missed = self.past.missed.get(offer.contact_id, ())
            tried = self._tried[offer.contact_id]
            self._tried[offer.contact_id] += 1
            if tried >= len(missed):
                ring_ms, what = self.past.ring_ms(offer.contact_id), ANSWER
            else:
                ring_ms, what = missed[tried].ring_ms, DECLINE
                if isinstance(missed[tried], OfferExpired):
                    continue
            self._schedule(offer.at_ms + ring_ms, what, offer.offer_id, offer.agent_id)
        self._fresh.clear()

    def _lease(self, offer: OfferCreated) -> None:
        """Let the lease of an offer run out where no fact will tell of it."""
        self._schedule(offer.expires_at_ms, TIME, offer.offer_id, offer.agent_id)

    def _schedule(
        self,
        at_ms: int,
        what: int = TIME,
        offer_id: OfferId = NO_OFFER,
        agent_id: AgentId = NOBODY,
    ) -> None:
        self._ties += 1
        heapq.heappush(self._calendar, (at_ms, self._ties, what, offer_id, agent_id))

    def _tell(self, command: Command, at_ms: int) -> None:
        events = decide(self.state, command, at_ms)
        if isinstance(events, Refused):
            if isinstance(command, BY_HAND) and events.reason is not Reason.CONTACT_UNKNOWN:
                self.unrepeated[type(command).__name__] += 1
            return
        self._do(events)

    def _do(self, events: tuple[Event, ...]) -> None:
        state, follows = self.state, self._FOLLOWS
        for event in events:
            evolve(state, event)
            follow = follows.get(type(event))
            if follow is not None:
                follow(self, event)
        first = state.watching.first
        if first is not None and first != self._first_to_step and events:
            self._first_to_step, due_ms = first, max(first[0], events[-1].at_ms)
            if not self.past.tells(first[1], due_ms, LATE_MS):
                self._schedule(due_ms)

    def _made(self, event: OfferCreated) -> None:
        self.offers += 1
        self._fresh[event.offer_id] = event
        self._fresh_at_ms = event.at_ms
        if event.widens_at_ms:
            self._expect(self.state.contacts[event.contact_id], event.at_ms)

    def _left(self, event: ContactDequeued) -> None:
        self.left_at_ms[event.contact_id] = event.at_ms
        if event.reason is not DequeueReason.CUSTOMER_LEFT:
            self.sent_away.add(event.contact_id)

    def _came_to(
        self,
        event: ContactEnqueued
        | ContactKept
        | ContactMoved
        | ContactRequeued
        | ContactStepped
        | RingWidened,
    ) -> None:
        """Time alone may do more to a contact from now on."""
        contact = self.state.contacts.get(event.contact_id)
        if contact is None:
            return
        plan = contact.plan
        if plan.steps or plan.crews or plan.overflow or contact.ring or contact.awaited:
            self._expect(contact, event.at_ms)

    def _expect(self, contact: Contact, now_ms: int) -> None:
        """Let a contact come to its next step, leave, or ring more widely, where no fact will tell of it."""
        step_ms = 0 if contact.step_due is None else contact.step_due[0]
        ring_ms = 0 if contact.ring is None else contact.ring.widens_at_ms
        lapse_ms = 0 if contact.awaited is None else contact.awaited.until_ms
        for due_ms in (step_ms, ring_ms, lapse_ms, contact.leaves_at_ms or 0):
            if due_ms and not self.past.tells(contact.contact_id, due_ms, LATE_MS):
                self._schedule(max(due_ms, now_ms))

    def _answered(self, event: OfferAccepted) -> None:
        self.answers[event.contact_id] = Answer(event.agent_id, event.at_ms)
        if event.offer_id not in self._real:
            at_ms = event.at_ms + self.past.handle_ms(event.contact_id)
            self._schedule(at_ms, FREE, event.offer_id, event.agent_id)

    def _ended(self, event: OfferCanceled | OfferExpired | OfferRejected | OfferRescinded) -> None:
        """Free the agent of an offer that came to nothing, where no fact will tell of it."""
        self._fresh.pop(event.offer_id, None)
        real_id = self._real.get(event.offer_id)
        if real_id is None or self.past.outcomes.get(real_id) is not type(event):
            if real_id is not None:
                del self._ours[real_id], self._real[event.offer_id]
            self._schedule(event.at_ms, FREE, event.offer_id, event.agent_id)

    _FOLLOWS: ClassVar[Mapping[type[Event], Callable[["Shadow", Any], None]]] = {
        OfferCreated: _made,
        OfferAccepted: _answered,
        ContactDequeued: _left,
        **dict.fromkeys((ContactEnqueued, ContactKept, ContactMoved), _came_to),
        **dict.fromkeys((ContactRequeued, ContactStepped, RingWidened), _came_to),
        **dict.fromkeys((OfferCanceled, OfferExpired, OfferRejected, OfferRescinded), _ended),
    }
    """What an event of the shadow's own means for it."""


def _is_same(ours: OfferCreated, real: OfferCreated) -> bool:
    return ours.contact_id == real.contact_id and ours.agent_id == real.agent_id
