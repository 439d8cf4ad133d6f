"""A second core with another policy is told what really happened, and decides by itself.

As long as it decides what was decided, it is what the past was, and does nothing by itself. From the first difference
on it has a clock of its own: where it makes the same offer at the same moment, the agent answers as they did; any other
offer is missed as long as the contact has been missed less often than it really was, else taken after as long as it
really rang, and keeps the agent as long as the contact really did.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from huntgroup_onebox.shadow.clock import AFTERWARDS_MS, LATE_MS, Calendar, Due, Kind, next_due
from huntgroup_onebox.shadow.other_policy import OtherPolicy
from huntgroup_onebox.shadow.pairs import Pairs, is_as_it_was, is_same_offer
from huntgroup_onebox.shadow.past import Answer, Past
from huntgroup_onebox.shadow.stated import (
    comes_as_it_did,
    comes_plainly,
    command_of,
    for_somebody_gone,
    queued,
)
from huntgroup_routing.core.arriving import offers_on_arrival
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.dialing import watch_turns
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.hours import CloseQueue, OpenQueue
from huntgroup_routing.core.messages import (
    AcceptOffer,
    AgentCapacityFreed,
    Command,
    ConfigureQueue,
    ContactDequeued,
    ContactEnqueued,
    Event,
    MoveContact,
    ObserveAgentReleased,
    ObserveContactAbandoned,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PassTime,
    PolicyApplied,
    QueueConfigured,
    QueueRetired,
    Reason,
    Refused,
    RejectOffer,
    ScorerFailed,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.ranking import offers_to
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import Offer, State, initial
from huntgroup_routing.core.values import ContactId, DequeueReason, OfferId, QueueId

ENDINGS: Final = (OfferAccepted, OfferCanceled, OfferExpired, OfferRejected, OfferRescinded)
MISSES: Final = (OfferExpired, OfferRejected)
POLICY: Final = (PolicyApplied, QueueConfigured, QueueRetired)
BY_HAND: Final = (CloseQueue, OpenQueue, MoveContact, SetContactPriority, SetQueuePriority)
"""What somebody did, and the other policy may make impossible."""


@dataclass(slots=True)
class Shadow:
    """Takes the decisions of one domain, each the events that followed from one command or fact, in order."""

    domain: str
    """Chance goes by its name."""
    past: Past
    rules: Mapping[QueueId, ConfigureQueue]
    """The other policy; queues that it does not name keep the rules that they have."""
    scorers: Mapping[str, Scorer] = field(default_factory=dict)
    """Those that queues may name."""
    state: State = field(init=False)
    left_at_ms: dict[ContactId, int] = field(default_factory=dict)
    sent_away: set[ContactId] = field(default_factory=set)
    """Of those that left, whom a rule sent out of routing, and callbacks that are put off or over."""
    offers: int = 0
    same: int = 0
    """Of them, made really, too: of the same contact to the same agent at the same moment."""
    unrepeated: Counter[str] = field(default_factory=Counter)
    """By kind: what really happened that the shadow did not repeat, though the contact was there."""
    _policy: OtherPolicy = field(init=False)
    _pairs: Pairs | None = None
    """None as long as everything is as it was: then each offer is the same as the one of its number."""
    _answers: dict[ContactId, Answer] = field(default_factory=dict)
    _accepted: list[OfferAccepted] = field(default_factory=list)
    """As they were, and not among the answers yet."""
    _fresh: dict[OfferId, OfferCreated] = field(default_factory=dict)
    """Made at this moment; whether they are the same is not told yet."""
    _now_ms: int = 0
    _calendar: Calendar = field(default_factory=Calendar)
    _expected: Due | None = None
    """What time is expected to bring first."""
    _ending: frozenset[OfferId] = frozenset()
    """The offers that really ended in the decision that is told just now."""
    _missed: Counter[ContactId] = field(default_factory=Counter)
    """How many of the real misses of a contact have happened here, or stand for others that have."""

    def __post_init__(self) -> None:
        self.state = initial(self.domain)
        self.state.scorers = self.scorers
        self.state.explains = False
        self._policy = OtherPolicy(self.rules, self.scorers, self.past.queues)

    @property
    def refused(self) -> list[str]:
        """What the core would not do, of the other policy's queues and of what it needs."""
        return self._policy.refused

    @property
    def answers(self) -> dict[ContactId, Answer]:
        """Whom contacts were answered by, and when."""
        for one in self._accepted:
            self._answers[one.contact_id] = Answer(one.agent_id, one.at_ms)
        self._accepted.clear()
        return self._answers

    def take(self, decision: Sequence[Event]) -> None:
        """Let time pass until a decision, and decide the same command, fact or time by the other policy."""
        first = decision[0]
        if self._pairs is None and self._chooses_the_same(first, decision):
            return
        if isinstance(first, POLICY):
            self._change(decision)
        elif self._pairs is not None:
            self._until(first.at_ms)
            self._repeat(decision, self._decided(decision))
        else:
            ours = self._decided(decision)
            if is_as_it_was(ours, decision):
                self._go_along(decision)
            else:
                self._repeat(decision, ours)

    def finish(self) -> None:
        """Let everybody be served who still can be."""
        end_ms = self._now_ms + AFTERWARDS_MS
        self._settle()
        while (
            self.state.contacts and (at_ms := self._calendar.next_ms) is not None and at_ms < end_ms
        ):
            self._until(at_ms + 1)

    # As long as everything is as it was.

    def _chooses_the_same(self, first: Event, decision: Sequence[Event]) -> bool:
        """Take a decision that is nothing but whom to offer what; return whether it was one, and the same.

        That is most of them, and spares making the command, and anew all that leaves no choice.
        """
        state = self.state
        if state.awaiting_turn or state.turns:
            return False
        offers: Sequence[Event] = ()
        if isinstance(first, OfferAccepted):
            if len(decision) > 1 or first.offer_id not in state.offers:
                return False
            self._accepted.append(first)  # it rings as it did, and at nobody else
        elif isinstance(first, AgentCapacityFreed):
            agent = state.agents.get(first.agent_id)
            if agent is None:
                return False
            if agent.eligible and agent.joined:
                offers = offers_to(state, agent, first.at_ms, freed=first.offer_id)
        elif isinstance(first, ContactEnqueued) and comes_plainly(first, state):
            offers = offers_on_arrival(state, first)
        else:
            return False
        if len(offers) + 1 != len(decision):
            return False
        if offers:
            if not all(map(is_same_offer, offers, decision[1:])):
                return False
            self.offers += len(offers)
            self.same += len(offers)
        for event in decision:
            evolve(state, event)
        return True

    def _go_along(self, decision: Sequence[Event]) -> None:
        state = self.state
        for event in decision:
            evolve(state, event)
            kind = type(event)
            if kind is OfferCreated:
                self.offers += 1
                self.same += 1
            elif isinstance(event, OfferAccepted):
                self._accepted.append(event)
            elif isinstance(event, ContactDequeued):
                self._left(event)
            elif isinstance(event, MISSES):
                self._missed[event.contact_id] += 1
            if state.awaiting_turn or state.turns:
                watch_turns(state, event)

    def _part(self) -> Pairs:
        """Let the shadow be something else than the past from now on."""
        if self._pairs is None:
            self._pairs = Pairs.of(self.state)
        return self._pairs

    # What is decided where something was really decided.

    def _decided(self, decision: Sequence[Event]) -> Sequence[Event]:
        """Return what follows in the shadow."""
        first = decision[0]
        if isinstance(first, ContactEnqueued):
            taken = not isinstance(decision[-1], ContactDequeued)
            return self._arrival(first, taken=taken)
        told = command_of(decision)
        command = told if self._pairs is None else self._pairs.translated(told)
        return () if command is None else self._follows(command, first.at_ms)

    def _arrival(self, event: ContactEnqueued, *, taken: bool) -> Sequence[Event]:
        """Return what becomes of who comes; `taken`: its queue, or another one by a rule, really took it."""
        state = self.state
        as_it_was = self._pairs is None
        its_rules = as_it_was or event.queue_id not in self.rules
        if taken and its_rules and comes_as_it_did(event, state):
            return (event, *offers_on_arrival(state, event))
        fact = queued(event, state)
        ours = self._follows(fact, event.at_ms)
        waits = bool(ours and getattr(ours[0], "awaited_agents", ()))
        if as_it_was and waits and not event.awaited_agents:
            # Only whom one agent alone was to serve waits for nobody here.
            return self._follows(for_somebody_gone(fact), event.at_ms)
        return ours

    def _follows(self, command: Command, at_ms: int) -> Sequence[Event]:
        events = decide(self.state, command, at_ms)
        if isinstance(events, Refused):
            if isinstance(command, BY_HAND) and events.reason is not Reason.CONTACT_UNKNOWN:
                self.unrepeated[type(command).__name__] += 1
            return ()
        return events

    def _change(self, decision: Sequence[Event]) -> None:
        """Let the policy be what it was, but for the queues that the other one names."""
        at_ms = decision[0].at_ms
        self._until(at_ms)
        instead = list[Event]()
        for event in self._policy.instead(decision, self.state):
            self._fold(event)
            instead.append(event)
        if instead != [*decision]:
            self._part()
        self._expect(at_ms)

    # Once something is different.

    def _repeat(self, decision: Sequence[Event], ours: Sequence[Event]) -> None:
        self._now_ms, pairs = decision[0].at_ms, self._part()
        self._ending = frozenset(one.offer_id for one in decision if isinstance(one, ENDINGS))
        self._do(ours)
        for event in decision:
            if isinstance(event, ContactDequeued) and event.reason is DequeueReason.CALLBACK_DUE:
                self._dial(event)
        self._ending = frozenset()
        self._told(decision, pairs)

    def _dial(self, event: ContactDequeued) -> None:
        """Let a customer be called who was really called now, though the turn has not come near."""
        contact = self.state.contacts.get(event.contact_id)
        if contact is not None and contact.awaited is not None and contact.awaited.turn:
            reason = DequeueReason.CALLBACK_POSTPONED
            fact = ObserveContactAbandoned(contact_id=event.contact_id, reason=reason)
            self._do(self._follows(fact, event.at_ms))

    def _told(self, decision: Sequence[Event], pairs: Pairs) -> None:
        """Note which offers were really made and ended in a decision that the shadow has taken."""
        for event in decision:
            if isinstance(event, OfferCreated):
                offer_id = pairs.tell(event, self._fresh.values())
                if offer_id is not None:
                    self.same += 1
                    del self._fresh[offer_id]
            elif isinstance(event, ENDINGS):
                self._end(event, pairs)
            elif isinstance(event, ScorerFailed):
                self.unrepeated[ScorerFailed.__name__] += 1
        self._expect(self._now_ms)

    def _end(self, real: Any, pairs: Pairs) -> None:
        """Let an offer that rings on here be the shadow's own: what its agent would have done is not known any more."""
        offer_id = pairs.ours(real.offer_id)
        offer = None if offer_id is None else self.state.offers.get(offer_id)
        if offer is None:
            return
        pairs.part(offer.offer_id)
        if isinstance(real, OfferExpired):  # who let it ring out does so here
            self._missed[offer.contact_id] += 1
        else:
            self._assume(offer, offer.created_at_ms)

    def _until(self, at_ms: int) -> None:
        """Let happen what is due before a moment; what was made at an earlier one is the shadow's own by now."""
        if at_ms > self._now_ms:
            self._settle()
        while (next_ms := self._calendar.next_ms) is not None and next_ms < at_ms:
            now_ms, _, kind, offer_id, agent_id = self._calendar.pop()
            self._now_ms = now_ms
            if kind is Kind.TIME:
                self._expected, due = None, next_due(self.state)
                if due is not None and due[0] <= now_ms:
                    self._do(self._follows(PassTime(), now_ms))
            elif kind is Kind.FREE:
                released = ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id)
                self._do(self._follows(released, now_ms))
            elif offer_id in self.state.offers:
                answer: Command = AcceptOffer(offer_id=offer_id, agent_id=agent_id)
                if kind is Kind.DECLINE:
                    answer = RejectOffer(offer_id=offer_id, agent_id=agent_id, reason="")
                self._do(self._follows(answer, now_ms))
            self._settle()
            self._expect(now_ms)
        self._now_ms = at_ms

    def _expect(self, now_ms: int) -> None:
        """Let time pass here when it brings something next: as late as it really did, or at once."""
        if self._pairs is None:
            return
        due = next_due(self.state)
        if due is None or due == self._expected:
            return
        self._expected = due
        due_ms = max(due[0], now_ms)
        self._calendar.add(self.past.noticed_at_ms(due[1], due_ms, LATE_MS) or due_ms, Kind.TIME)

    def _settle(self) -> None:
        """Let offers that were not made really end as is assumed."""
        for offer in self._fresh.values():
            self._assume(offer, offer.at_ms)
        self._fresh.clear()

    def _assume(self, offer: Offer | OfferCreated, made_at_ms: int) -> None:
        """Let an offer be missed, or taken: at the latest just before it would ring out."""
        ring_ms, ends = self.past.ending(offer.contact_id, self._missed[offer.contact_id])
        self._missed[offer.contact_id] += 1
        at_ms, kind = made_at_ms + ring_ms, Kind.DECLINE
        if ends is OfferAccepted:
            at_ms, kind = min(at_ms, offer.expires_at_ms - 1), Kind.ANSWER
        if ends is not OfferExpired:
            self._calendar.add(max(at_ms, self._now_ms), kind, offer.offer_id, offer.agent_id)

    def _do(self, events: Sequence[Event]) -> None:
        for event in events:
            self._fold(event)
            follow = self._FOLLOWS.get(type(event))
            if follow is not None:
                follow(self, event)

    def _fold(self, event: Event) -> None:
        state = evolve(self.state, event)
        if state.awaiting_turn or state.turns:
            watch_turns(state, event)

    def _made(self, event: OfferCreated) -> None:
        self.offers += 1
        self._fresh[event.offer_id] = event

    def _left(self, event: ContactDequeued) -> None:
        self.left_at_ms[event.contact_id] = event.at_ms
        if event.reason is DequeueReason.CUSTOMER_LEFT:
            self.sent_away.discard(event.contact_id)
        else:
            self.sent_away.add(event.contact_id)

    def _answered(self, event: OfferAccepted) -> None:
        self.answers[event.contact_id] = Answer(event.agent_id, event.at_ms)
        if self._part().real(event.offer_id) not in self._ending:
            at_ms = event.at_ms + self.past.handle_ms(event.contact_id)
            self._calendar.add(at_ms, Kind.FREE, event.offer_id, event.agent_id)

    def _ended(self, event: OfferCanceled | OfferExpired | OfferRejected | OfferRescinded) -> None:
        """Free the agent of an offer that came to nothing, where no fact will tell of it."""
        self._fresh.pop(event.offer_id, None)
        pairs = self._part()
        real_id = pairs.real(event.offer_id)
        if real_id is not None and isinstance(event, MISSES):
            self._missed[event.contact_id] += 1
        if real_id not in self._ending:
            pairs.part(event.offer_id)
            self._calendar.add(event.at_ms, Kind.FREE, event.offer_id, event.agent_id)

    _FOLLOWS: ClassVar[Mapping[type[Event], Callable[["Shadow", Any], None]]] = {
        OfferCreated: _made,
        OfferAccepted: _answered,
        ContactDequeued: _left,
        **dict.fromkeys((OfferCanceled, OfferExpired, OfferRejected, OfferRescinded), _ended),
    }
    """What an event of the shadow's own means for it."""
