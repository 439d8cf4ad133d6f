"""Callbacks: a contact keeps its place while its customer is not on the line, and is dialled in its turn.

A callback stands in routing's line as any contact. Until its time has come, and between two dials, it is SCHEDULED:
routing does not know of it, and it takes none of the queue's places. It comes back with its age, however many
wait meanwhile. Who is to answer first stands in line without being offered, is dialled when the turn comes near, and
comes back.
"""

from typing import Final

from huntgroup_session.core.eligibility import refuse, refuse_callback, refuse_unknown
from huntgroup_session.core.messages import (
    CallbackAnswered,
    CallbackDialFailed,
    CallbackDialRequested,
    CallbackEnded,
    CallbackRequested,
    CallbackScheduled,
    CancelCallback,
    ContactConnected,
    ContactConnectionFailed,
    ContactQueued,
    Event,
    ObserveCallbackDue,
    ObserveCallbackPostponed,
    ObserveContactOverflowed,
    ObserveOfferAccepted,
    Refused,
    ReportDialOutcome,
    RequestCallback,
)
from huntgroup_session.core.state import (
    Callback,
    Contact,
    Dialing,
    Initiated,
    Lapsed,
    Offer,
    Offering,
    Place,
    Queued,
    Scheduled,
    State,
)
from huntgroup_session.core.values import (
    CallbackEndReason,
    CallbackMode,
    DialOutcome,
    OverflowTrigger,
)

LET_GO_MS: Final = 60_000
"""A callback that a rule of its queue let go stands in no line for so long at least: the rule may hold for hours."""

WINDOW_MS: Final = 86_400_000
"""A callback for which nobody said how long it may take is over after so long."""


def request_callback(
    state: State, command: RequestCallback, at_ms: int
) -> tuple[Event, ...] | Refused:
    """Make a callback of a contact that waits, or that has come in."""
    match state.find(command.contact_id):
        case Contact(callback=Callback() as callback) as contact if same(
            contact, callback, command
        ):
            return () if contact.callback_due_ms else refuse(contact, command, "it was called back")
        case Contact(callback=Callback()) as contact:
            return refuse(
                contact, command, "it is to be called back already, elsewhere or otherwise"
            )
        case Contact(phase=Initiated() | Queued() | Offering(), callback=None) as contact:
            return refuse_callback(state, contact, command, at_ms) or requested(
                contact, command, at_ms
            )
        case contact:
            return refuse(contact, command, "a callback is made of a contact that waits or came in")


def same(contact: Contact, callback: Callback, command: RequestCallback) -> bool:
    """Return whether this is what was asked for already."""
    asked = (command.number, command.not_before_ms, mode_of(command))
    place, skills = contact.place, tuple(sorted(set(command.required_skills)))
    there = (place.queue_id, place.priority, place.required_skills)
    where = not callback.came_by_it or there == (command.queue_id, command.priority, skills)
    same_call = (callback.number, callback.not_before_ms, callback.mode) == asked
    return same_call and where and command.not_after_ms in (0, callback.not_after_ms)


def mode_of(command: RequestCallback) -> CallbackMode:
    """Return who is asked first."""
    return command.mode or CallbackMode.AGENT_FIRST


def requested(contact: Contact, command: RequestCallback, at_ms: int) -> tuple[Event, ...]:
    """Return that the customer is to be called back; routing lets go by itself who waits and is to be called later."""
    comes = isinstance(contact.phase, Initiated)
    place = contact.place
    if comes:
        skills = tuple(sorted(set(command.required_skills)))
        place = Place(
            queue_id=command.queue_id,
            priority=command.priority,
            required_skills=skills,
            enqueued_at_ms=max(at_ms, command.not_before_ms),
        )
    request = CallbackRequested(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=place.queue_id,
        number=command.number,
        not_before_ms=command.not_before_ms,
        not_after_ms=command.not_after_ms or max(at_ms, command.not_before_ms) + WINDOW_MS,
        priority=place.priority,
        required_skills=place.required_skills,
        enqueued_at_ms=place.enqueued_at_ms,
        came_by_it=comes,
        mode=mode_of(command),
    )
    if not comes:
        return (request,)
    if command.not_before_ms > at_ms:
        return (request, scheduled(contact, place, command.not_before_ms, at_ms))
    return (in_line(contact, place, request.mode, at_ms), request)


def in_line(contact: Contact, place: Place, mode: CallbackMode | None, at_ms: int) -> ContactQueued:
    """The contact takes its place, with the age that it has; no mode: the customer is on the line."""
    return ContactQueued(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=place.queue_id,
        channel=contact.channel,
        priority=place.priority,
        required_skills=place.required_skills,
        enqueued_at_ms=place.enqueued_at_ms,
        stay=contact.stay + 1,
        attempts=contact.attempts,
        requirement=place.requirement,
        preferred_agents=place.preferred_agents,
        direct_agent_id=place.direct_agent_id,
        customer_key=place.customer_key,
        returns=isinstance(contact.phase, Scheduled | Dialing),
        awaits_turn=mode is CallbackMode.CUSTOMER_FIRST,
    )


def scheduled(contact: Contact, place: Place, resume_at_ms: int, at_ms: int) -> CallbackScheduled:
    """The contact stands in no line until then."""
    waited = not isinstance(contact.phase, Initiated)
    return CallbackScheduled(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=place.queue_id,
        resume_at_ms=resume_at_ms,
        in_line=waited,
        wait_ms=contact.wait_ms(at_ms) if waited else 0,
        stay=max(0, contact.stay),
    )


def postponed(
    contact: Contact, callback: Callback, resume_at_ms: int, at_ms: int
) -> CallbackScheduled | CallbackEnded:
    """The contact takes its place again later, unless that would be too late."""
    if resume_at_ms >= callback.not_after_ms:
        return ended(contact, callback, CallbackEndReason.EXPIRED, at_ms)
    return scheduled(contact, contact.place, resume_at_ms, at_ms)


def ended(
    contact: Contact, callback: Callback, reason: CallbackEndReason, at_ms: int
) -> CallbackEnded:
    """Nobody calls back any more."""
    waited = not isinstance(contact.phase, Scheduled)
    return CallbackEnded(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.place.queue_id,
        reason=reason,
        dials=callback.dials,
        in_line=waited,
        wait_ms=contact.wait_ms(at_ms) if waited else 0,
        stay=max(0, contact.stay),
    )


def cancel_callback(
    state: State, command: CancelCallback, at_ms: int
) -> tuple[Event, ...] | Refused:
    """End a callback, also while the customer is dialled: then the agent is free of it."""
    match state.find(command.contact_id):
        case (
            Contact(
                phase=Queued() | Offering() | Scheduled() | Dialing(),
                callback=Callback(reached=False) as callback,
            ) as contact
        ):
            over = ended(contact, callback, CallbackEndReason.CANCELED, at_ms)
            return (*agent_freed(contact, at_ms), over)
        case Contact(phase=Lapsed()):
            return ()
        case contact:
            return refuse(contact, command, "it is no callback that is still to be made")


def report_dial_outcome(
    state: State, command: ReportDialOutcome, at_ms: int
) -> tuple[Event, ...] | Refused:
    """Connect customer and agent, or try again later; a dial that is over has the outcome it has."""
    match state.find(command.contact_id):
        case Contact(phase=Dialing(), callback=Callback(dials=command.dial) as callback) as contact:
            if command.outcome is DialOutcome.ANSWERED:
                return answered(contact, callback, at_ms)
            return dial_failed(contact, callback, command.outcome, at_ms)
        case Contact(callback=Callback(dials=command.dial, outcome=command.outcome)):
            return ()
        case None:
            return refuse_unknown(command.contact_id)
        case contact:
            return refuse(contact, command, f"dial {command.dial} is over, or never began")


def answered(contact: Contact, callback: Callback, at_ms: int) -> tuple[Event, ...]:
    """The customer is there: for the agent who accepted, or to wait for one."""
    if not contact.offer.offer_id:
        reached = CallbackAnswered(
            at_ms=at_ms,
            contact_id=contact.contact_id,
            queue_id=contact.place.queue_id,
            dial=callback.dials,
            wait_ms=contact.wait_ms(at_ms),
            stay=contact.stay,
        )
        return (reached, in_line(contact, contact.place, None, at_ms))
    connected = ContactConnected(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        offer_id=contact.offer.offer_id,
        agent_id=contact.offer.agent_id,
        queue_id=contact.place.queue_id,
        channel=contact.channel,
        wait_ms=contact.wait_ms(at_ms),
        stay=contact.stay,
    )
    return (connected,)


def dial_failed(
    contact: Contact, callback: Callback, outcome: DialOutcome, at_ms: int
) -> tuple[Event, ...]:
    """The agent is free, and the customer is dialled again later, as often as the queue allowed."""
    failed = CallbackDialFailed(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.place.queue_id,
        dial=callback.dials,
        outcome=outcome,
    )
    if callback.dials >= callback.attempts:
        then = ended(contact, callback, CallbackEndReason.UNREACHABLE, at_ms)
        return (failed, *agent_freed(contact, at_ms), then)
    later = postponed(contact, callback, at_ms + callback.retry_ms, at_ms)
    return (failed, *agent_freed(contact, at_ms), later)


def agent_freed(contact: Contact, at_ms: int) -> tuple[ContactConnectionFailed, ...]:
    """The agent who has accepted, if one has, waits for nobody any more."""
    if not isinstance(contact.phase, Dialing) or not contact.offer.offer_id:
        return ()
    freed = ContactConnectionFailed(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        offer_id=contact.offer.offer_id,
        agent_id=contact.offer.agent_id,
    )
    return (freed,)


def callback_accepted(
    state: State,
    contact: Contact,
    callback: Callback,
    accepted: ObserveOfferAccepted,
    at_ms: int,
) -> tuple[Event, ...]:
    """Dial the customer for the agent; not if they asked to be called later meanwhile, nor if the agent is gone."""
    if at_ms < callback.not_before_ms or accepted.agent_id in state.gone:
        failed = ContactConnectionFailed(
            at_ms=at_ms,
            contact_id=contact.contact_id,
            offer_id=accepted.offer_id,
            agent_id=accepted.agent_id,
        )
        resume_at_ms = max(callback.not_before_ms, at_ms)
        return (failed, postponed(contact, callback, resume_at_ms, at_ms))
    offer = Offer(offer_id=accepted.offer_id, agent_id=accepted.agent_id)
    return (dial_for(contact, callback, offer, at_ms),)


def dial_for(
    contact: Contact, callback: Callback, offer: Offer, at_ms: int
) -> CallbackDialRequested:
    """Somebody is to dial the customer, for the agent of an offer or for none."""
    return CallbackDialRequested(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.place.queue_id,
        dial=callback.dials + 1,
        number=callback.number,
        offer_id=offer.offer_id,
        agent_id=offer.agent_id,
        answer_by_ms=at_ms + callback.dial_ms,
    )


def observe_callback_due(
    state: State, command: ObserveCallbackDue, at_ms: int
) -> tuple[Event, ...]:
    """Dial a customer who is to answer first: their turn comes near."""
    match state.live.get(command.contact_id):
        case Contact(phase=Queued(), callback=Callback(reached=False) as callback) as contact:
            return (dial_for(contact, callback, Offer(), at_ms),)
        case _:
            return ()


def observe_callback_postponed(
    state: State, command: ObserveCallbackPostponed, at_ms: int
) -> tuple[Event, ...]:
    """Routing has let go a callback that is to be dialled later, or before any agent is asked."""
    match state.live.get(command.contact_id):
        case (
            Contact(
                phase=Queued() | Offering(), callback=Callback(reached=False) as callback
            ) as contact
        ):
            resume_at_ms = max(callback.not_before_ms, at_ms)
            return (postponed(contact, callback, resume_at_ms, at_ms),)
        case _:
            return ()


def callback_let_go(
    contact: Contact, callback: Callback, command: ObserveContactOverflowed, at_ms: int
) -> tuple[Event, ...]:
    """A rule of its queue has let a callback go: it takes its place again later, not before the queue opens.

    At once, where the rule was about callers who wait: routing did not know yet that this one is not on the line, and
    lets nobody go by it who comes back.
    """
    later_ms = at_ms + max(callback.retry_ms, LET_GO_MS)
    if command.trigger is OverflowTrigger.WAITED:
        later_ms = at_ms
    resume_at_ms = max(callback.not_before_ms, later_ms, command.opens_at_ms)
    return (postponed(contact, callback, resume_at_ms, at_ms),)


def callback_due(contact: Contact, at_ms: int) -> tuple[Event, ...]:
    """A callback takes its place again, is over, or was dialled and nobody reported what came of it."""
    callback = contact.callback
    assert callback is not None
    match contact.phase:
        case Scheduled():
            return (in_line(contact, contact.place, callback.mode, at_ms),)
        case Dialing():
            return dial_failed(contact, callback, DialOutcome.FAILED, at_ms)
        case _:
            return (ended(contact, callback, CallbackEndReason.EXPIRED, at_ms),)
