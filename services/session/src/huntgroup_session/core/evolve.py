"""How the state follows from the events: one branch per event, nothing refused, nothing asked."""

from typing import assert_never

from msgspec.structs import replace

from huntgroup_session.core.attendance import AGENTS_GONE_MAX
from huntgroup_session.core.messages import (
    AgentJoined,
    AgentLeft,
    CallbackAnswered,
    CallbackDialFailed,
    CallbackDialRequested,
    CallbackEnded,
    CallbackRequested,
    CallbackScheduled,
    ContactAbandoned,
    ContactCompleted,
    ContactConnected,
    ContactConnectionFailed,
    ContactDisconnected,
    ContactDiverted,
    ContactHandedBack,
    ContactHeld,
    ContactInitiated,
    ContactMoved,
    ContactOffered,
    ContactQueued,
    ContactReprioritized,
    ContactResumed,
    ContactRetrieved,
    ContactReturnedToQueue,
    Event,
    QueueForgotten,
    QueueLearned,
)
from huntgroup_session.core.state import (
    DIAL_MS,
    ENDED_MAX,
    NOWHERE,
    Abandoned,
    Callback,
    Completed,
    Connected,
    Contact,
    Dialing,
    Diverted,
    Initiated,
    Lapsed,
    Offer,
    Offering,
    OnHold,
    Place,
    Queue,
    Queued,
    Scheduled,
    State,
    Wrapping,
)
from huntgroup_session.core.values import NOBODY, CallbackMode, DialOutcome


def evolve(state: State, event: Event) -> State:
    """Return the state after `event`: the same object, changed."""
    if isinstance(event, QueueLearned | QueueForgotten | AgentLeft | AgentJoined):
        happen(state, event)
        return state
    before = state.live.get(event.contact_id)
    agent_id = NOBODY if before is None else before.offer.agent_id
    standing = NOWHERE if before is None else before.standing
    happen(state, event)
    contact = before or state.find(event.contact_id)
    if before is not None:
        state.stand(standing, before.standing)
    if contact is not None and contact.callback is not None:
        state.watch_callback(contact)
        state.watch_dial(agent_id, contact)
    return state


def happen(state: State, event: Event) -> None:
    """Let what the event says be so."""
    match event:
        case ContactInitiated():
            initiate(state, event)
        case ContactQueued():
            queue(state, event)
        case ContactOffered():
            offer(state, event)
        case ContactReturnedToQueue():
            return_to_queue(state, event)
        case ContactMoved():
            move(state, event)
        case ContactReprioritized():
            reprioritize(state, event)
        case ContactResumed():
            resume(state, event)
        case ContactHandedBack():
            hand_back(state, event)
        case ContactDiverted():
            divert(state, event)
        case ContactConnected():
            connect(state, event)
        case ContactConnectionFailed():
            pass  # a fact for agent-state: this contact is over already, or was never known
        case ContactHeld():
            hold(state, event)
        case ContactRetrieved():
            retrieve(state, event)
        case ContactAbandoned():
            abandon(state, event)
        case ContactDisconnected():
            disconnect(state, event)
        case ContactCompleted():
            complete(state, event)
        case QueueForgotten():
            forget_queue(state, event)
        case QueueLearned():
            learn_queue(state, event)
        case AgentLeft():
            state.gone[event.agent_id] = None
            if len(state.gone) > AGENTS_GONE_MAX:
                state.gone.popitem(last=False)
        case AgentJoined():
            del state.gone[event.agent_id]
        case (
            CallbackRequested()
            | CallbackScheduled()
            | CallbackDialRequested()
            | CallbackDialFailed()
            | CallbackAnswered()
            | CallbackEnded()
        ):
            callback_happens(state, event)
        case _:
            assert_never(event)


CallbackEvent = (
    CallbackRequested
    | CallbackScheduled
    | CallbackDialRequested
    | CallbackDialFailed
    | CallbackAnswered
    | CallbackEnded
)


def callback_happens(state: State, event: CallbackEvent) -> None:
    """Let what the event says of a callback be so."""
    match event:
        case CallbackRequested():
            request_callback(state, event)
        case CallbackScheduled():
            schedule(state, event)
        case CallbackDialRequested():
            dial(state, event)
        case CallbackDialFailed():
            dial_failed(state, event)
        case CallbackAnswered():
            answer(state, event)
        case CallbackEnded():
            lapse(state, event)
        case _:
            assert_never(event)


def initiate(state: State, event: ContactInitiated) -> None:
    """A contact is there; what only others need (endpoints, attributes) stays in the log."""
    state.live[event.contact_id] = Contact(
        contact_id=event.contact_id,
        conversation_id=event.conversation_id,
        channel=event.channel,
        initiated_at_ms=event.at_ms,
    )


def queue(state: State, event: ContactQueued) -> None:
    """It takes a place."""
    contact = state.live[event.contact_id]
    contact.phase = Queued()
    contact.place = Place(
        queue_id=event.queue_id,
        priority=event.priority,
        required_skills=event.required_skills,
        enqueued_at_ms=event.enqueued_at_ms,
        waits_from_ms=event.at_ms,
        requirement=event.requirement,
        preferred_agents=event.preferred_agents,
        direct_agent_id=event.direct_agent_id,
        customer_key=event.customer_key,
    )
    contact.stay = event.stay


def move(state: State, event: ContactMoved) -> None:
    """It takes a place elsewhere, for one agent alone no more; whoever rang for it rings no more."""
    contact = state.live[event.contact_id]
    contact.phase, contact.offer, contact.stay = Queued(), Offer(), event.stay
    contact.place = Place(
        queue_id=event.queue_id,
        priority=event.priority,
        required_skills=contact.place.required_skills,
        enqueued_at_ms=event.enqueued_at_ms,
        waits_from_ms=contact.place.waits_from_ms,
        requirement=contact.place.requirement,
        preferred_agents=contact.place.preferred_agents,
        customer_key=contact.place.customer_key,
    )


def reprioritize(state: State, event: ContactReprioritized) -> None:
    """It stands by another priority."""
    contact = state.live[event.contact_id]
    contact.place = replace(contact.place, priority=event.priority)


def resume(state: State, event: ContactResumed) -> None:
    """It is as old as the one in which its customer was lost."""
    contact = state.live[event.contact_id]
    contact.place = replace(contact.place, enqueued_at_ms=event.enqueued_at_ms)


def hand_back(state: State, event: ContactHandedBack) -> None:
    """It waits no more, and may be queued again."""
    contact = state.live[event.contact_id]
    contact.phase, contact.place, contact.offer = Initiated(), Place(), Offer()
    contact.attempts = event.attempts


def divert(state: State, event: ContactDiverted) -> None:
    """It ends for us."""
    contact = state.live[event.contact_id]
    contact.phase, contact.offer = Diverted(), Offer()
    remember(state, contact)


def offer(state: State, event: ContactOffered) -> None:
    """An agent rings; the place is kept."""
    contact = state.live[event.contact_id]
    contact.phase = Offering()
    contact.attempts = max(contact.attempts, event.attempt)
    contact.offer = Offer(offer_id=event.offer_id, agent_id=event.agent_id)


def return_to_queue(state: State, event: ContactReturnedToQueue) -> None:
    """Nobody rings any more; the place was never given up."""
    contact = state.live[event.contact_id]
    contact.phase = Queued()
    contact.offer = Offer()


def connect(state: State, event: ContactConnected) -> None:
    """The wait is over."""
    contact = state.live[event.contact_id]
    contact.phase = Connected(connected_at_ms=event.at_ms, hold_ms=0)
    if contact.callback is not None:
        contact.callback = replace(contact.callback, outcome=DialOutcome.ANSWERED)
    contact.offer = Offer(offer_id=event.offer_id, agent_id=event.agent_id)


def hold(state: State, event: ContactHeld) -> None:
    """A hold begins."""
    contact = state.live[event.contact_id]
    assert isinstance(contact.phase, Connected)
    contact.phase = OnHold(
        connected_at_ms=contact.phase.connected_at_ms,
        hold_ms=contact.phase.hold_ms,
        held_at_ms=event.at_ms,
    )


def retrieve(state: State, event: ContactRetrieved) -> None:
    """A hold ends and counts."""
    contact = state.live[event.contact_id]
    assert isinstance(contact.phase, OnHold)
    contact.phase = Connected(
        connected_at_ms=contact.phase.connected_at_ms,
        hold_ms=contact.phase.hold_ms + event.hold_ms,
    )


def abandon(state: State, event: ContactAbandoned) -> None:
    """It ends; whoever waited gives up the place."""
    contact = state.live[event.contact_id]
    contact.phase = Abandoned()
    remember(state, contact)


def disconnect(state: State, event: ContactDisconnected) -> None:
    """Wrap-up begins, and with it the time in which it must be reported."""
    state.live[event.contact_id].phase = Wrapping()
    state.wrapping[event.contact_id] = event.completes_by_ms


def complete(state: State, event: ContactCompleted) -> None:
    """It ends."""
    contact = state.live[event.contact_id]
    contact.phase = Completed()
    del state.wrapping[event.contact_id]
    remember(state, contact)


def request_callback(state: State, event: CallbackRequested) -> None:
    """It is a callback from now on; one that was never queued has a place by it."""
    contact, queue = state.live[event.contact_id], state.queues[event.queue_id]
    contact.callback = Callback(
        number=event.number,
        not_before_ms=event.not_before_ms,
        not_after_ms=event.not_after_ms,
        attempts=queue.callback_attempts,
        retry_ms=queue.callback_retry_ms,
        dial_ms=queue.callback_dial_ms or DIAL_MS,
        came_by_it=event.came_by_it,
        mode=event.mode or CallbackMode.AGENT_FIRST,
    )
    if isinstance(contact.phase, Initiated):
        contact.place = Place(
            queue_id=event.queue_id,
            priority=event.priority,
            required_skills=event.required_skills,
            enqueued_at_ms=event.enqueued_at_ms,
        )


def schedule(state: State, event: CallbackScheduled) -> None:
    """It stands in no line, and keeps its place."""
    contact = state.live[event.contact_id]
    callback = contact.callback
    if isinstance(contact.phase, Dialing) and callback is not None and callback.outcome is None:
        # The agent was lost, not the customer: that dial was none of those that the queue allowed.
        contact.callback = replace(callback, attempts=callback.attempts + 1)
    contact.phase, contact.offer = Scheduled(resume_at_ms=event.resume_at_ms), Offer()


def dial(state: State, event: CallbackDialRequested) -> None:
    """The agent waits for the customer."""
    contact = state.live[event.contact_id]
    contact.phase = Dialing(answer_by_ms=event.answer_by_ms)
    contact.offer = Offer(offer_id=event.offer_id, agent_id=event.agent_id)
    assert contact.callback is not None
    contact.callback = replace(contact.callback, dials=event.dial, outcome=None)


def dial_failed(state: State, event: CallbackDialFailed) -> None:
    """The customer was not reached; the event that follows says what becomes of the contact."""
    contact = state.live[event.contact_id]
    assert contact.callback is not None
    contact.callback = replace(contact.callback, outcome=event.outcome)


def answer(state: State, event: CallbackAnswered) -> None:
    """The customer is on the line; that they wait there is told next."""
    contact = state.live[event.contact_id]
    assert contact.callback is not None
    contact.callback = replace(contact.callback, outcome=DialOutcome.ANSWERED, reached=True)


def lapse(state: State, event: CallbackEnded) -> None:
    """It ends, and gives up its place."""
    contact = state.live[event.contact_id]
    contact.phase, contact.offer = Lapsed(), Offer()
    remember(state, contact)


def remember(state: State, contact: Contact) -> None:
    """Move an ended contact to those remembered, and forget the oldest of them if they are too many."""
    del state.live[contact.contact_id]
    state.ended[contact.contact_id] = contact
    if len(state.ended) > ENDED_MAX:
        state.ended.popitem(last=False)


def learn_queue(state: State, event: QueueLearned) -> None:
    """A queue is new, or has another limit; those who wait stay."""
    known = state.queues.setdefault(event.queue_id, Queue(waiting_max=event.waiting_max))
    known.waiting_max, known.open = event.waiting_max, True
    known.callback_attempts = event.callback_attempts
    known.callback_retry_ms = event.callback_retry_ms
    known.callbacks_max, known.callback_dial_ms = event.callbacks_max, event.callback_dial_ms
    known.channel = event.channel


def forget_queue(state: State, event: QueueForgotten) -> None:
    """A queue takes nobody any more; it is kept for those who wait."""
    state.queues[event.queue_id].open = False
    if state.queues[event.queue_id].is_over:
        del state.queues[event.queue_id]
