"""One replication: routing's own core is told what callers and agents do, in virtual time, and is obeyed.

There is no second router here: `decide` says who is offered what, as in the service, and is told in the same commands
what session and agent-state would report.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from huntgroup_onebox.simulate.draws import Comer, Draw
from huntgroup_onebox.simulate.measures import Measures
from huntgroup_routing.core.deadlines import next_deadline
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.evolve import evolve
from huntgroup_routing.core.messages import (
    AcceptOffer,
    Command,
    ConfigureQueue,
    ContactDequeued,
    ContactKept,
    Event,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRescinded,
    PassTime,
    Refused,
)
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.state import State, initial
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    QueueId,
    Skill,
    Strategy,
)

Decide = Callable[[State, Command, int], tuple[Event, ...] | Refused]

REPORT_EVERY: Final = 4_096
WEEK_MS: Final = 8 * 24 * 3_600_000.0
"""Whatever opens by the hours of a week has opened after so long."""
ENDED: Final = (OfferCanceled, OfferExpired, OfferRescinded)
ACTED_ON: Final = frozenset((OfferCreated, ContactDequeued, *ENDED))
"""What people, or agent-state, do something about."""
FREE, GIVE_UP, ANSWER, START_SHIFT, END_SHIFT = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all contacts of a class have in common."""

    queue_id: QueueId
    channel: Channel
    priority: int
    required_skills: tuple[Skill, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class Worker:
    """An agent as people see them: their shift, how they answer, how fast they are."""

    sign_on: ObserveAgentSignedOn
    group: int
    from_ms: float
    until_ms: float
    answer_after: Draw | None
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One replication, drawn and ready."""

    queues: tuple[ConfigureQueue, ...]
    scorers: Mapping[str, Scorer]
    waiting_max: int
    kinds: tuple[Kind, ...]
    workers: tuple[Worker, ...]
    comers: Iterable[Comer]
    """In the order in which they come."""
    contacts_max: int
    until_ms: float
    warm_up_contacts: int


class Centre:
    """Plays one plan."""

    def __init__(self, plan: Plan, measures: Measures, decide: Decide = decide) -> None:
        """`measures` is told what happens; `decide` may be one that looks at each decision."""
        self._plan = plan
        self._measures = measures
        self._decide = decide
        self._state = initial("simulated/centre")
        self._workers = {worker.sign_on.agent_id: worker for worker in plan.workers}
        self._calendar: list[tuple[float, int, int, str, str]] = []
        """When, a number that breaks ties, what, and to whom: agent, contact or offer."""
        self._kept: set[ContactId] = set()
        """Whom no queue has had room for since anything else happened, once nobody comes any more."""
        self._ties = 0
        self._unanswered: dict[ContactId, Comer] = {}
        self._state.scorers = plan.scorers
        self._state.explains = False
        self._has_deadlines = any(worker.answer_after for worker in plan.workers) or any(
            map(_watches_time, plan.queues)
        )
        self._has_hours = any(queue.hours for queue in plan.queues)

    def play(self, progress: Callable[[int], None]) -> None:
        """Play to the end; `progress` is told now and then how many contacts have come."""
        self._open()
        plan, measures, number, end_ms = self._plan, self._measures, 0, 0.0
        if not plan.warm_up_contacts:
            measures.begin(0.0)
        for comer in plan.comers:
            if comer.at_ms >= plan.until_ms:
                break
            end_ms = comer.at_ms
            self._until(end_ms)
            if number and number == plan.warm_up_contacts:
                measures.begin(end_ms)
            measures.came(comer)
            if self._is_full(comer):
                measures.turned_away(comer)
            else:
                self._enqueue(comer, number)
            number += 1
            if number % REPORT_EVERY == 0:
                progress(number)
            if number == plan.contacts_max:
                break
        if number < plan.contacts_max and not math.isinf(plan.until_ms):
            end_ms = plan.until_ms
        self._until(end_ms)
        measures.end(end_ms)
        # Queues open and close by their hours for ever.
        self._until(end_ms + WEEK_MS if self._has_hours else math.inf)
        measures.close(self._unanswered.values())
        progress(number)

    def _open(self) -> None:
        for queue in self._plan.queues:
            self._tell(queue, 0.0)
        for worker in self._plan.workers:
            agent_id = worker.sign_on.agent_id
            if worker.from_ms <= 0.0:
                self._start_shift(0.0, agent_id)
            else:
                self._schedule(worker.from_ms, START_SHIFT, agent_id)
            if not math.isinf(worker.until_ms):
                self._schedule(worker.until_ms, END_SHIFT, agent_id)

    def _is_full(self, comer: Comer) -> bool:
        """Session's rule for a queue, and the scenario's own for all of them; who rings waits, too."""
        queues, everywhere = self._state.queues, self._plan.waiting_max
        queue = queues[self._plan.kinds[comer.number].queue_id]
        if len(queue.waiting) + queue.ringing >= queue.waiting_max:
            return True
        if not everywhere:
            return False
        return sum(len(one.waiting) + one.ringing for one in queues.values()) >= everywhere

    def _enqueue(self, comer: Comer, number: int) -> None:
        contact_id, at_ms = ContactId(f"c{number:08d}"), comer.at_ms
        kind = self._plan.kinds[comer.number]
        self._unanswered[contact_id] = comer
        if comer.patience_ms != math.inf:
            self._schedule(at_ms + comer.patience_ms, GIVE_UP, contact_id)
        self._tell(
            ObserveContactQueued(
                contact_id=contact_id,
                queue_id=kind.queue_id,
                channel=kind.channel,
                priority=kind.priority,
                required_skills=kind.required_skills,
                enqueued_at_ms=int(at_ms),
            ),
            at_ms,
        )

    def _schedule(self, at_ms: float, what: int, who: str, other: str = "") -> None:
        self._ties += 1
        heapq.heappush(self._calendar, (at_ms, self._ties, what, who, other))

    def _until(self, at_ms: float) -> None:
        """Let everything happen that is due before a time, or at it."""
        calendar, pop = self._calendar, heapq.heappop
        while True:
            next_ms = calendar[0][0] if calendar else math.inf
            if self._has_deadlines:
                deadline_ms = next_deadline(self._state)
                if deadline_ms is not None and deadline_ms <= min(next_ms, at_ms):
                    events = self._tell(PassTime(), float(deadline_ms))
                    if calendar or at_ms != math.inf or not self._keeps_for_ever(events):
                        continue
                    return
            if next_ms > at_ms or not calendar:
                return
            now_ms, _, what, who, other = pop(calendar)
            if what == FREE:
                self._free(now_ms, AgentId(who), OfferId(other))
            elif what == GIVE_UP:
                self._give_up(now_ms, ContactId(who))
            elif what == ANSWER:
                self._answer(now_ms, AgentId(who), OfferId(other))
            elif what == START_SHIFT:
                self._start_shift(now_ms, AgentId(who))
            else:
                self._tell(ObserveAgentWentNotReady(agent_id=AgentId(who)), now_ms)

    def _keeps_for_ever(self, events: tuple[Event, ...]) -> bool:
        """Return whether nothing is left but contacts that time asks again and again whether a queue has room.

        Told of all that time brings after people have done their last.
        """
        kept = [event.contact_id for event in events if isinstance(event, ContactKept)]
        if len(kept) < len(events):
            self._kept.clear()  # room may have been made
            return False
        self._kept.update(kept)
        state = self._state
        others = (state.steps_due, state.lapses_due, state.rings_due, state.leases)
        heads = (state.lends_due.head, state.watching.due.head, *(one.head for one in others))
        return len(self._kept) == len(state.waits_due) and all(head is None for head in heads)

    def _start_shift(self, now_ms: float, agent_id: AgentId) -> None:
        self._tell(self._workers[agent_id].sign_on, now_ms)
        self._tell(ObserveAgentWentReady(agent_id=agent_id), now_ms)

    def _free(self, now_ms: float, agent_id: AgentId, offer_id: OfferId) -> None:
        self._measures.freed(agent_id, now_ms)
        self._tell(ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id), now_ms)

    def _give_up(self, now_ms: float, contact_id: ContactId) -> None:
        comer = self._unanswered.pop(contact_id, None)
        if comer is not None:
            self._measures.gave_up(comer, now_ms)
            self._tell(ObserveContactAbandoned(contact_id=contact_id), now_ms)

    def _answer(self, now_ms: float, agent_id: AgentId, offer_id: OfferId) -> None:
        offer = self._state.offers.get(offer_id)
        if offer is not None:
            self._measures.stopped_ringing(agent_id, now_ms)
            self._accept(now_ms, agent_id, offer_id, offer.contact_id)

    def _accept(
        self, now_ms: float, agent_id: AgentId, offer_id: OfferId, contact_id: ContactId
    ) -> None:
        self._tell(AcceptOffer(offer_id=offer_id, agent_id=agent_id), now_ms)
        comer = self._unanswered.pop(contact_id)
        self._measures.answered(comer, agent_id, now_ms)
        handled_ms = (comer.service_ms + comer.wrap_up_ms) / self._workers[agent_id].speed
        self._ties += 1
        entry = (now_ms + handled_ms, self._ties, FREE, agent_id, offer_id)
        heapq.heappush(self._calendar, entry)

    def _tell(self, command: Command, now_ms: float) -> tuple[Event, ...]:
        """Let routing decide, and do what an agent does with each offer, agent-state with each that ended."""
        state = self._state
        events = self._decide(state, command, int(now_ms))
        if isinstance(events, Refused):
            raise AssertionError(f"routing refused what it was told: {events.detail}")  # noqa: TRY004
        told: list[Event] = []
        for event in events:
            evolve(state, event)
            if type(event) in ACTED_ON:
                told.append(event)
        for event in told:
            if isinstance(event, OfferCreated):
                self._ring(now_ms, event)
            elif isinstance(event, ENDED):
                self._measures.stopped_ringing(event.agent_id, now_ms)
                released = ObserveAgentReleased(agent_id=event.agent_id, offer_id=event.offer_id)
                self._tell(released, now_ms)
            elif isinstance(event, ContactDequeued) and event.overflow is not None:
                comer = self._unanswered.pop(event.contact_id)
                self._measures.sent_away(comer)
        return events

    def _ring(self, now_ms: float, offer: OfferCreated) -> None:
        worker = self._workers[offer.agent_id]
        if offer.offer_id not in self._state.offers:
            return  # another agent has taken it meanwhile
        if worker.answer_after is None:
            self._accept(now_ms, offer.agent_id, offer.offer_id, offer.contact_id)
        else:
            self._measures.rang(offer.agent_id, now_ms)
            self._schedule(now_ms + worker.answer_after(), ANSWER, offer.agent_id, offer.offer_id)


def _watches_time(queue: ConfigureQueue) -> bool:
    """Return whether time alone may change something for those who wait in a queue, or ring."""
    return bool(
        queue.steps
        or queue.groups
        or queue.overflow
        or queue.hours
        or queue.strategy is Strategy.RING_PROGRESSIVELY
    )
