"""What comes about in the shadow: its state, what it offered, and what became of contacts."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from huntgroup_onebox.shadow.past import Answer
from huntgroup_onebox.shadow.stated import (
    asks_as_it_did,
    comes_as_it_did,
    for_somebody_gone,
    queued,
)
from huntgroup_routing.core.arriving import offers_on_arrival
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.dialing import watch_turns
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.hours import CloseQueue, OpenQueue
from huntgroup_routing.core.messages import (
    Command,
    ContactDequeued,
    ContactEnqueued,
    Event,
    MoveContact,
    OfferAccepted,
    Reason,
    Refused,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import ContactId, DequeueReason, QueueId

BY_HAND: Final = (CloseQueue, OpenQueue, MoveContact, SetContactPriority, SetQueuePriority)
"""What somebody did, and the other policy may make impossible."""


@dataclass(slots=True)
class Course:
    """Of one domain."""

    state: State
    named: Collection[QueueId]
    """The queues that the other policy names; all others ask what they really did."""
    offers: int = 0
    same: int = 0
    """Of them, made really, too: of the same contact to the same agent at the same moment."""
    left_at_ms: dict[ContactId, int] = field(default_factory=dict)
    left_before_ms: dict[ContactId, list[int]] = field(default_factory=dict)
    """When contacts left that came again."""
    sent_away: set[ContactId] = field(default_factory=set)
    """Of those that left, whom a rule sent out of routing, and callbacks that are put off or over."""
    missed: dict[ContactId, int] = field(default_factory=dict)
    """How many of the real misses of a contact have happened here, or stand for others that have."""
    unrepeated: Counter[str] = field(default_factory=Counter)
    """By kind: what really happened that the shadow did not repeat, though the contact was there."""
    accepted: list[OfferAccepted] = field(default_factory=list)
    """As they were, and not among the answers yet."""
    _answers: dict[ContactId, Answer] = field(default_factory=dict)

    @property
    def answers(self) -> dict[ContactId, Answer]:
        """Whom contacts were answered by, and when."""
        for one in self.accepted:
            self._answers[one.contact_id] = Answer(one.agent_id, one.at_ms)
        self.accepted.clear()
        return self._answers

    def fold(self, event: Event) -> None:
        """Let something happen."""
        state = evolve(self.state, event)
        if state.awaiting_turn or state.turns:
            watch_turns(state, event)

    def left(self, event: ContactDequeued) -> None:
        """Note a contact that left."""
        before_ms = self.left_at_ms.get(event.contact_id)
        if before_ms is not None:
            self.left_before_ms.setdefault(event.contact_id, []).append(before_ms)
        self.left_at_ms[event.contact_id] = event.at_ms
        if event.reason is DequeueReason.CUSTOMER_LEFT:
            self.sent_away.discard(event.contact_id)
        else:
            self.sent_away.add(event.contact_id)

    def miss(self, contact_id: ContactId) -> int:
        """Note one miss more, and return how many there were before."""
        before = self.missed.get(contact_id, 0)
        self.missed[contact_id] = before + 1
        return before

    # What follows in the shadow.

    def follows(self, command: Command, at_ms: int) -> Sequence[Event]:
        """Return what follows from a command, a fact or time."""
        events = decide(self.state, command, at_ms)
        if isinstance(events, Refused):
            if isinstance(command, BY_HAND) and events.reason is not Reason.CONTACT_UNKNOWN:
                self.unrepeated[type(command).__name__] += 1
            return ()
        return events

    def arrives(self, decision: Sequence[Event], *, as_it_was: bool) -> Sequence[Event]:
        """Return what becomes of who comes, in a shadow that is as it was so far, or not."""
        event, state = decision[0], self.state
        assert isinstance(event, ContactEnqueued)
        # Its queue, or another one by a rule, really took it.
        taken = not isinstance(decision[-1], ContactDequeued)
        if taken and comes_as_it_did(event, state):
            its_rules = as_it_was or event.queue_id not in self.named
            if its_rules or asks_as_it_did(event, state.queues[event.queue_id]):
                return (event, *offers_on_arrival(state, event))
        fact = queued(event, state)
        ours = self.follows(fact, event.at_ms)
        waits = bool(ours and getattr(ours[0], "awaited_agents", ()))
        if as_it_was and waits and not event.awaited_agents:
            # Only whom one agent alone was to serve waits for nobody here.
            return self.follows(for_somebody_gone(fact), event.at_ms)
        return ours
