"""The shadow once something is different: it has a clock of its own.

Where it makes the same offer at the same moment as was really made, the agent answers as they did. Any other offer is
missed as long as the contact has been missed less often than it really was, else taken after as long as it really rang,
and keeps the agent as long as the contact really did.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from huntgroup_onebox.shadow.clock import (
    AFTERWARDS_MS,
    LATE_MS,
    NEVER_MS,
    Calendar,
    Due,
    Kind,
    brings_before,
    next_due,
)
from huntgroup_onebox.shadow.course import Course
from huntgroup_onebox.shadow.pairs import Pairs
from huntgroup_onebox.shadow.past import Answer, Past
from huntgroup_onebox.shadow.stated import command_of
from huntgroup_routing.core.dialing import watch_turns
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import (
    AcceptOffer,
    AgentCapacityFreed,
    Command,
    ContactDequeued,
    ContactEnqueued,
    Event,
    ObserveAgentReleased,
    ObserveContactAbandoned,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PassTime,
    RejectOffer,
    ScorerFailed,
)
from huntgroup_routing.core.state import Offer
from huntgroup_routing.core.values import AgentId, DequeueReason, OfferId

ENDINGS: Final = (OfferAccepted, OfferCanceled, OfferExpired, OfferRejected, OfferRescinded)
MISSES: Final = (OfferExpired, OfferRejected)
OF_ONE_OFFER: Final = (OfferAccepted, AgentCapacityFreed)
"""A decision that begins so is about an offer, and nothing else where the shadow has none like it."""
NONE: Final = frozenset[OfferId]()


class Apart:
    """Takes the decisions of one domain from the first difference on."""

    __slots__ = (
        *("_answers", "_appointed_ms", "_calendar", "_course", "_ending", "_expected", "_fresh"),
        *("_now_ms", "_pairs", "_past", "_state"),
    )

    def __init__(self, course: Course, past: Past, now_ms: int) -> None:
        self._course = course
        self._state = course.state
        self._answers = course.answers
        self._past = past
        self._pairs = Pairs.of(course.state)
        self._now_ms = now_ms
        self._calendar = Calendar()
        self._fresh: dict[OfferId, OfferCreated] = {}
        """Made at this moment; whether they are the same is not told yet."""
        self._expected: Due | None = None
        """What time is expected to bring first."""
        self._appointed_ms = NEVER_MS
        """When it is looked at next what time brings."""
        self._ending = NONE
        """The offers that really ended in the decision that is told just now."""

    def take(self, decision: Sequence[Event]) -> None:
        """Let time pass until a decision, and decide the same command, fact or time."""
        first = decision[0]
        if first.at_ms > self._now_ms:
            self.until(first.at_ms)
        if isinstance(first, ContactEnqueued):
            ours = self._course.arrives(decision, as_it_was=False)
            self._do(ours)
            self._told(decision)
            if ours:
                self.expect()
        elif isinstance(first, OF_ONE_OFFER) and self._pairs.has_none_like(first.offer_id):
            if len(decision) > 1:
                self._told(decision)
        else:
            command = self._pairs.translated(command_of(decision))
            ours = () if command is None else self._course.follows(command, first.at_ms)
            self.repeat(decision, ours)

    def repeat(self, decision: Sequence[Event], ours: Sequence[Event]) -> None:
        """Do what follows in the shadow from what a decision followed from, and note what was really decided."""
        if ours:
            self._ending = frozenset(one.offer_id for one in decision if isinstance(one, ENDINGS))
            self._do(ours)
            self._ending = NONE
        self._told(decision)
        if ours:
            self.expect()

    def _told(self, decision: Sequence[Event]) -> None:
        """Note which offers were really made and ended in a decision that the shadow has taken."""
        for event in decision:
            tell = self._TOLD.get(type(event))
            if tell is not None:
                tell(self, event)

    def _make(self, real: OfferCreated) -> None:
        """See whether an offer that was really made is among those that were made here just now."""
        offer_id = self._pairs.tell(real, self._fresh.values())
        if offer_id is not None:
            self._course.same += 1
            del self._fresh[offer_id]

    def _fail(self, _: ScorerFailed) -> None:
        self._course.unrepeated[ScorerFailed.__name__] += 1

    def _end(self, real: Any) -> None:
        """Let an offer that rings on here be the shadow's own: what its agent would have done is not known any more."""
        offer_id = self._pairs.ours(real.offer_id)
        offer = None if offer_id is None else self._state.offers.get(offer_id)
        if offer is None:
            return
        self._pairs.part(offer.offer_id)
        if isinstance(real, OfferExpired):  # who let it ring out does so here
            self._course.miss(offer.contact_id)
        else:
            self._assume(offer, offer.created_at_ms)

    def _dial(self, event: ContactDequeued) -> None:
        """Let a customer be called who was really called now, though the turn has not come near."""
        if event.reason is not DequeueReason.CALLBACK_DUE:
            return
        contact = self._state.contacts.get(event.contact_id)
        if contact is not None and contact.awaited is not None and contact.awaited.turn:
            reason = DequeueReason.CALLBACK_POSTPONED
            fact = ObserveContactAbandoned(contact_id=event.contact_id, reason=reason)
            self._do(self._course.follows(fact, event.at_ms))
            self.expect()

    # What comes about by itself.

    def finish(self) -> None:
        """Let everybody be served who still can be."""
        end_ms = self._now_ms + AFTERWARDS_MS
        self._settle()
        while (
            self._state.contacts
            and (at_ms := self._calendar.next_ms) is not None
            and at_ms < end_ms
        ):
            self.until(at_ms + 1)

    def until(self, at_ms: int) -> None:
        """Let happen what is due before a moment; what was made at an earlier one is the shadow's own by now."""
        if at_ms > self._now_ms and self._fresh:
            self._settle()
        while (due := self._calendar.pop_before(at_ms)) is not None:
            self._now_ms, _, kind, offer_id, agent_id = due
            events = self._comes(kind, offer_id, agent_id)
            if events:
                self._do(events)
                if self._fresh:
                    self._settle()
            if events or kind is Kind.TIME:
                self.expect()
        self._now_ms = at_ms

    def _comes(self, kind: Kind, offer_id: OfferId, agent_id: AgentId) -> Sequence[Event]:
        """Return what follows from what is due now."""
        course, now_ms = self._course, self._now_ms
        if kind is Kind.FREE:
            return course.follows(
                ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id), now_ms
            )
        if kind is Kind.TIME:
            self._expected, self._appointed_ms = None, NEVER_MS
            return (
                course.follows(PassTime(), now_ms) if brings_before(self._state, now_ms + 1) else ()
            )
        if offer_id not in self._state.offers:
            return ()
        answer: Command = AcceptOffer(offer_id=offer_id, agent_id=agent_id)
        if kind is Kind.DECLINE:
            answer = RejectOffer(offer_id=offer_id, agent_id=agent_id, reason="")
        return course.follows(answer, now_ms)

    def expect(self) -> None:
        """Let time pass here when it brings something next: as late as it really did, or at once.

        What is due later than it is looked at anyway is seen then.
        """
        if not brings_before(self._state, self._appointed_ms):
            return
        due = next_due(self._state)
        if due is None or due == self._expected:
            return
        self._expected = due
        due_ms = max(due[0], self._now_ms)
        at_ms = self._past.noticed_at_ms(due[1], due_ms, LATE_MS) or due_ms
        self._appointed_ms = min(self._appointed_ms, at_ms)
        self._calendar.add(at_ms, Kind.TIME)

    def _settle(self) -> None:
        """Let offers that were not made really end as is assumed."""
        for offer in self._fresh.values():
            self._assume(offer, offer.at_ms)
        self._fresh.clear()

    def _assume(self, offer: Offer | OfferCreated, made_at_ms: int) -> None:
        """Let an offer be missed, or taken: at the latest just before it would ring out."""
        ring_ms, ends = self._past.ending(offer.contact_id, self._course.miss(offer.contact_id))
        at_ms, kind = made_at_ms + ring_ms, Kind.DECLINE
        if ends is OfferAccepted:
            at_ms, kind = min(at_ms, offer.expires_at_ms - 1), Kind.ANSWER
        if ends is not OfferExpired:
            self._calendar.add(max(at_ms, self._now_ms), kind, offer.offer_id, offer.agent_id)

    def _do(self, events: Sequence[Event]) -> None:
        state, follows = self._state, self._FOLLOWS
        for event in events:
            evolve(state, event)
            if state.awaiting_turn or state.turns:
                watch_turns(state, event)
            follow = follows.get(type(event))
            if follow is not None:
                follow(self, event)

    def _made(self, event: OfferCreated) -> None:
        self._course.offers += 1
        self._fresh[event.offer_id] = event

    def _left(self, event: ContactDequeued) -> None:
        self._course.left(event)

    def _answered(self, event: OfferAccepted) -> None:
        self._answers[event.contact_id] = Answer(event.agent_id, event.at_ms)
        if self._pairs.real(event.offer_id) not in self._ending:
            at_ms = event.at_ms + self._past.handle_ms(event.contact_id)
            self._calendar.add(at_ms, Kind.FREE, event.offer_id, event.agent_id)

    def _ended(self, event: OfferCanceled | OfferExpired | OfferRejected | OfferRescinded) -> None:
        """Free the agent of an offer that came to nothing, where no fact will tell of it."""
        self._fresh.pop(event.offer_id, None)
        real_id = self._pairs.real(event.offer_id)
        if real_id is not None and isinstance(event, MISSES):
            self._course.miss(event.contact_id)
        if real_id not in self._ending:
            self._pairs.part(event.offer_id)
            self._calendar.add(event.at_ms, Kind.FREE, event.offer_id, event.agent_id)

    _FOLLOWS: ClassVar[Mapping[type[Event], Callable[["Apart", Any], None]]] = {
        OfferCreated: _made,
        OfferAccepted: _answered,
        ContactDequeued: _left,
        **dict.fromkeys((OfferCanceled, OfferExpired, OfferRejected, OfferRescinded), _ended),
    }
    """What an event of the shadow's own means for it."""
    _TOLD: ClassVar[Mapping[type[Event], Callable[["Apart", Any], None]]] = {
        OfferCreated: _make,
        ContactDequeued: _dial,
        ScorerFailed: _fail,
        **dict.fromkeys(ENDINGS, _end),
    }
    """What one that really happened does."""
