"""A second core with another policy is told what really happened, and decides by itself.

As long as it decides what was decided, it is what the past was, and nothing by itself: `shadow/apart.py` is the rest.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from huntgroup_onebox.shadow.apart import Apart
from huntgroup_onebox.shadow.course import Course
from huntgroup_onebox.shadow.other_policy import OtherPolicy
from huntgroup_onebox.shadow.pairs import is_as_it_was, is_same_offer
from huntgroup_onebox.shadow.past import Answer, Past
from huntgroup_onebox.shadow.stated import comes_plainly, command_of
from huntgroup_routing.core.arriving import offers_on_arrival
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import (
    AgentCapacityFreed,
    ConfigureQueue,
    ContactDequeued,
    ContactEnqueued,
    Event,
    OfferAccepted,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    PolicyApplied,
    QueueConfigured,
    QueueRetired,
)
from huntgroup_routing.core.ranking import offers_to
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import State, initial
from huntgroup_routing.core.values import ContactId, QueueId

POLICY: Final = frozenset({PolicyApplied, QueueConfigured, QueueRetired})


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
    _course: Course = field(init=False)
    _policy: OtherPolicy = field(init=False)
    _apart: Apart | None = None
    """None as long as everything is as it was: then each offer is the same as the one of its number."""

    def __post_init__(self) -> None:
        state = initial(self.domain)
        state.scorers = self.scorers
        state.explains = False
        self._course = Course(state, self.rules.keys())
        self._policy = OtherPolicy(self.rules, self.scorers, self.past.queues)

    @property
    def state(self) -> State:
        """The domain as it is in the shadow."""
        return self._course.state

    @property
    def offers(self) -> int:
        """How many were made in the shadow."""
        return self._course.offers

    @property
    def same(self) -> int:
        """How many of them were really made: of the same contact to the same agent at the same moment."""
        return self._course.same

    @property
    def left_at_ms(self) -> Mapping[ContactId, int]:
        """When contacts left that nobody answered, or left last before they came again."""
        return self._course.left_at_ms

    @property
    def left_before_ms(self) -> Mapping[ContactId, Sequence[int]]:
        """When contacts left earlier that left more than once."""
        return self._course.left_before_ms

    @property
    def sent_away(self) -> Collection[ContactId]:
        """Of those that left, whom a rule sent out of routing, and callbacks that are put off or over."""
        return self._course.sent_away

    @property
    def unrepeated(self) -> Counter[str]:
        """By kind: what really happened that the shadow did not repeat, though the contact was there."""
        return self._course.unrepeated

    @property
    def refused(self) -> list[str]:
        """What the core would not do, of the other policy's queues and of what it needs."""
        return self._policy.refused

    @property
    def answers(self) -> Mapping[ContactId, Answer]:
        """Whom contacts were answered by, and when."""
        return self._course.answers

    def take(self, decision: Sequence[Event]) -> None:
        """Let time pass until a decision, and decide the same command, fact or time by the other policy."""
        first = decision[0]
        if type(first) in POLICY:
            self._change(decision)
        elif self._apart is not None:
            self._apart.take(decision)
        elif not self._chooses_the_same(first, decision):
            if isinstance(first, ContactEnqueued):
                ours = self._course.arrives(decision, as_it_was=True)
            else:
                ours = self._course.follows(command_of(decision), first.at_ms)
            if is_as_it_was(ours, decision):
                self._go_along(decision)
            else:
                self._part(first.at_ms).repeat(decision, ours)

    def finish(self) -> None:
        """Let everybody be served who still can be."""
        if self._apart is not None:
            self._apart.finish()

    def _part(self, now_ms: int = 0) -> Apart:
        """Let the shadow be something else than the past from now on."""
        if self._apart is None:
            self._apart = Apart(self._course, self.past, now_ms)
        return self._apart

    def _change(self, decision: Sequence[Event]) -> None:
        """Let the policy be what it was, but for the queues that the other one names."""
        at_ms = decision[0].at_ms
        if self._apart is not None:
            self._apart.until(at_ms)
        instead = list[Event]()
        for event in self._policy.instead(decision, self.state):
            self._course.fold(event)
            instead.append(event)
        if self._apart is not None or instead != [*decision]:
            self._part(at_ms).expect()

    # As long as everything is as it was.

    def _chooses_the_same(self, first: Event, decision: Sequence[Event]) -> bool:
        """Take a decision that is nothing but whom to offer what; return whether it was one, and the same.

        That is most of them, and spares making the command, and anew all that leaves no choice.
        """
        course, state = self._course, self._course.state
        if state.awaiting_turn or state.turns:
            return False
        offers: Sequence[Event] = ()
        if isinstance(first, OfferAccepted):
            if len(decision) > 1 or first.offer_id not in state.offers:
                return False
            course.accepted.append(first)  # it rings as it did, and at nobody else
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
            course.offers += len(offers)
            course.same += len(offers)
        for event in decision:
            evolve(state, event)
        return True

    def _go_along(self, decision: Sequence[Event]) -> None:
        course = self._course
        for event in decision:
            course.fold(event)
            match event:
                case OfferCreated():
                    course.offers += 1
                    course.same += 1
                case OfferAccepted():
                    course.accepted.append(event)
                case ContactDequeued():
                    course.left(event)
                case OfferExpired() | OfferRejected():
                    course.miss(event.contact_id)
                case _:
                    pass
