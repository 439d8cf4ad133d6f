"""What follows from a command: events, or a refusal. One function per command, and nothing is changed here.

Commands of the API are refused when they contradict the contact's phase, and yield no events when what they ask for
is so already. Facts of others are never refused: one that no longer matters yields no events.
"""

from typing import assert_never

from huntgroup_session.core.agents import observe_agent
from huntgroup_session.core.callbacks import (
    callback_accepted,
    callback_due,
    cancel_callback,
    observe_callback_due,
    observe_callback_postponed,
    report_dial_outcome,
    request_callback,
)
from huntgroup_session.core.deadlines import WRAP_UP_GUARD_MS, callbacks_due, due
from huntgroup_session.core.eligibility import refuse, refuse_start, refuse_unknown
from huntgroup_session.core.messages import (
    CancelCallback,
    Command,
    CompleteContact,
    ContactAbandoned,
    ContactCompleted,
    ContactConnected,
    ContactConnectionFailed,
    ContactDisconnected,
    ContactHeld,
    ContactInitiated,
    ContactOffered,
    ContactRetrieved,
    ContactReturnedToQueue,
    EndContact,
    Event,
    HangUpContact,
    HoldContact,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveCallbackDue,
    ObserveCallbackPostponed,
    ObserveContactMoved,
    ObserveContactOverflowed,
    ObserveContactReprioritized,
    ObserveContactResumed,
    ObserveOfferAccepted,
    ObserveOfferCreated,
    ObserveOfferFailed,
    ObserveQueueConfigured,
    ObserveQueueRetired,
    ObserveWrapUpFinished,
    PassTime,
    QueueContact,
    ReportDialOutcome,
    RequestCallback,
    RetrieveContact,
    StartContact,
)
from huntgroup_session.core.queueing import (
    Decision,
    observe_contact_moved,
    observe_contact_overflowed,
    observe_contact_reprioritized,
    observe_contact_resumed,
    observe_queue_configured,
    observe_queue_retired,
    queue_contact,
)
from huntgroup_session.core.state import (
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
    Queued,
    Scheduled,
    State,
    Wrapping,
)
from huntgroup_session.core.values import (
    AbandonStage,
    CompletionReason,
    ConversationId,
    DisconnectReason,
    InitiationMethod,
)


def decide(state: State, command: Command, at_ms: int) -> Decision:
    """Return what follows from `command` at log time `at_ms`."""
    match command:
        case StartContact():
            return start_contact(state, command, at_ms)
        case QueueContact():
            return queue_contact(state, command, at_ms)
        case HangUpContact():
            return hang_up_contact(state, command, at_ms)
        case EndContact():
            return end_contact(state, command, at_ms)
        case HoldContact():
            return hold_contact(state, command, at_ms)
        case RetrieveContact():
            return retrieve_contact(state, command, at_ms)
        case CompleteContact():
            return complete_contact(state, command, at_ms)
        case RequestCallback():
            return request_callback(state, command, at_ms)
        case CancelCallback():
            return cancel_callback(state, command, at_ms)
        case ReportDialOutcome():
            return report_dial_outcome(state, command, at_ms)
        case ObserveQueueConfigured():
            return observe_queue_configured(state, command, at_ms)
        case ObserveQueueRetired():
            return observe_queue_retired(state, command, at_ms)
        case ObserveOfferCreated():
            return observe_offer_created(state, command, at_ms)
        case ObserveOfferAccepted():
            return observe_offer_accepted(state, command, at_ms)
        case ObserveOfferFailed():
            return observe_offer_failed(state, command, at_ms)
        case ObserveContactMoved():
            return observe_contact_moved(state, command, at_ms)
        case ObserveContactReprioritized():
            return observe_contact_reprioritized(state, command, at_ms)
        case ObserveContactResumed():
            return observe_contact_resumed(state, command, at_ms)
        case ObserveContactOverflowed():
            return observe_contact_overflowed(state, command, at_ms)
        case ObserveCallbackDue():
            return observe_callback_due(state, command, at_ms)
        case ObserveCallbackPostponed():
            return observe_callback_postponed(state, command, at_ms)
        case ObserveAgentSignedOff() | ObserveAgentSignedOn():
            return observe_agent(state, command, at_ms)
        case ObserveWrapUpFinished():
            return observe_wrap_up_finished(state, command, at_ms)
        case PassTime():
            return pass_time(state, at_ms)
        case _:
            assert_never(command)


def start_contact(state: State, command: StartContact, at_ms: int) -> Decision:
    """Let a contact in, once; it begins a conversation of its own unless the command names one."""
    method = command.initiation_method
    if method is InitiationMethod.UNSPECIFIED:
        method = InitiationMethod.INBOUND
    initiated = ContactInitiated(
        at_ms=at_ms,
        contact_id=command.contact_id,
        conversation_id=command.conversation_id or ConversationId(command.contact_id),
        channel=command.channel,
        initiation_method=method,
        customer_endpoint=command.customer_endpoint,
        system_endpoint=command.system_endpoint,
        attributes=command.attributes,
    )
    return refuse_start(state, command) or (initiated,)


def hang_up_contact(state: State, command: HangUpContact, at_ms: int) -> Decision:
    """The customer is gone: that abandons a contact or ends its conversation, whatever anybody else wants.

    Of a callback nobody expects the customer on the line before the conversation.
    """
    match state.find(command.contact_id):
        case Contact(
            phase=Queued() | Offering() | Scheduled() | Dialing(), callback=Callback(reached=False)
        ):
            return ()
        case Contact(phase=Initiated()) as contact:
            return (abandoned(contact, AbandonStage.IN_MENU, at_ms),)
        case Contact(phase=Queued()) as contact:
            return (abandoned(contact, AbandonStage.IN_QUEUE, at_ms),)
        case Contact(phase=Offering()) as contact:
            return (abandoned(contact, AbandonStage.WHILE_OFFERING, at_ms),)
        case Contact(phase=Connected() | OnHold() as talk) as contact:
            return (disconnected(contact, talk, DisconnectReason.CUSTOMER_DISCONNECT, at_ms),)
        case Contact():
            return ()  # gone already
        case None:
            return refuse_unknown(command.contact_id)


def end_contact(state: State, command: EndContact, at_ms: int) -> Decision:
    """End the conversation for its agent; it may have ended a moment ago, because the customer hung up."""
    match state.find(command.contact_id):
        case (
            Contact(
                phase=Connected() | OnHold() as talk, offer=Offer(agent_id=command.agent_id)
            ) as contact
        ):
            return (disconnected(contact, talk, DisconnectReason.AGENT_DISCONNECT, at_ms),)
        case Contact(phase=Wrapping() | Completed(), offer=Offer(agent_id=command.agent_id)):
            return ()
        case contact:
            return refuse(contact, command, "only a conversation can be ended")


def hold_contact(state: State, command: HoldContact, at_ms: int) -> Decision:
    """Let the customer wait for the agent they talk to."""
    match state.find(command.contact_id):
        case Contact(phase=Connected(), offer=Offer(agent_id=command.agent_id)) as contact:
            held = ContactHeld(
                at_ms=at_ms, contact_id=contact.contact_id, agent_id=command.agent_id
            )
            return (held,)
        case Contact(phase=OnHold(), offer=Offer(agent_id=command.agent_id)):
            return ()
        case contact:
            return refuse(contact, command, "only a conversation can be put on hold")


def retrieve_contact(state: State, command: RetrieveContact, at_ms: int) -> Decision:
    """Let agent and customer talk on."""
    match state.find(command.contact_id):
        case Contact(phase=OnHold() as hold, offer=Offer(agent_id=command.agent_id)) as contact:
            retrieved = ContactRetrieved(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                agent_id=command.agent_id,
                hold_ms=at_ms - hold.held_at_ms,
            )
            return (retrieved,)
        case Contact(phase=Connected(), offer=Offer(agent_id=command.agent_id)):
            return ()
        case contact:
            return refuse(contact, command, "only a contact on hold can be retrieved")


def complete_contact(state: State, command: CompleteContact, at_ms: int) -> Decision:
    """Close the contact although its wrap-up is not reported as finished."""
    match state.find(command.contact_id):
        case Contact(phase=Wrapping()) as contact:
            return (completed(contact, CompletionReason.BY_COMMAND, at_ms, wrap_up_ms=0),)
        case Contact(phase=Completed() | Abandoned() | Diverted() | Lapsed()):
            return ()
        case contact:
            return refuse(contact, command, "it must be disconnected before it can be completed")


def observe_offer_created(state: State, command: ObserveOfferCreated, at_ms: int) -> Decision:
    """An agent rings, unless the customer has left: routing will hear of that and cancel the offer.

    Several may ring at once; the newest one is shown.
    """
    match state.live.get(command.contact_id):
        case Contact(offer=Offer(offer_id=command.offer_id)):
            return ()
        case Contact(phase=Queued() | Offering()) as contact:
            offered = ContactOffered(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                offer_id=command.offer_id,
                agent_id=command.agent_id,
                attempt=command.attempt,
            )
            return (offered,)
        case _:
            return ()


def observe_offer_accepted(state: State, command: ObserveOfferAccepted, at_ms: int) -> Decision:
    """Connect customer and agent; when the customer has left, say so, or the agent would wait for ever.

    Of several that ring routing lets one accept, so whichever it says it was.
    A contact that is QUEUED although its offer was accepted missed an event that could not be read: connect it too.
    """
    match state.find(command.contact_id):
        case (
            Contact(
                phase=Queued() | Offering(), callback=Callback(reached=False) as callback
            ) as contact
        ):
            return callback_accepted(state, contact, callback, command, at_ms)
        case Contact(phase=Queued() | Offering()) as contact:
            return (connected(contact, command, at_ms),)
        case Contact(
            phase=Dialing() | Connected() | OnHold() | Wrapping() | Completed(),
            offer=Offer(offer_id=command.offer_id),
        ):
            return ()
        case _:
            failed = ContactConnectionFailed(
                at_ms=at_ms,
                contact_id=command.contact_id,
                offer_id=command.offer_id,
                agent_id=command.agent_id,
            )
            return (failed,)


def observe_offer_failed(state: State, command: ObserveOfferFailed, at_ms: int) -> Decision:
    """Let the contact wait on; it was the last offer that rang, or the only one."""
    match state.live.get(command.contact_id):
        case Contact(phase=Offering()) as contact:
            returned = ContactReturnedToQueue(
                at_ms=at_ms,
                contact_id=contact.contact_id,
                offer_id=command.offer_id,
                reason=command.reason,
            )
            return (returned,)
        case _:
            return ()


def observe_wrap_up_finished(state: State, command: ObserveWrapUpFinished, at_ms: int) -> Decision:
    """Complete the contact if it waits for this report."""
    match state.live.get(command.contact_id):
        case Contact(phase=Wrapping(), offer=Offer(offer_id=command.offer_id)) as contact:
            reason = CompletionReason.WRAP_UP_FINISHED
            return (completed(contact, reason, at_ms, wrap_up_ms=command.wrap_up_ms),)
        case _:
            return ()


def pass_time(state: State, at_ms: int) -> tuple[Event, ...]:
    """Complete every contact whose wrap-up was not reported in time, and go on with callbacks whose time has come."""
    return (
        *(
            completed(state.live[contact_id], CompletionReason.TIMER, at_ms, wrap_up_ms=0)
            for contact_id in due(state, at_ms)
        ),
        *(
            event
            for contact_id in callbacks_due(state, at_ms)
            for event in callback_due(state.live[contact_id], at_ms)
        ),
    )


def abandoned(contact: Contact, stage: AbandonStage, at_ms: int) -> ContactAbandoned:
    """The customer left before an agent was reached."""
    return ContactAbandoned(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.place.queue_id,
        stage=stage,
        wait_ms=contact.wait_ms(at_ms),
        offer_id=contact.offer.offer_id,
        stay=max(0, contact.stay),
    )


def connected(contact: Contact, accepted: ObserveOfferAccepted, at_ms: int) -> ContactConnected:
    """The wait is over, for the agent who accepted."""
    return ContactConnected(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        offer_id=accepted.offer_id,
        agent_id=accepted.agent_id,
        queue_id=contact.place.queue_id,
        channel=contact.channel,
        wait_ms=contact.wait_ms(at_ms),
        stay=contact.stay,
    )


def disconnected(
    contact: Contact, talk: Connected | OnHold, reason: DisconnectReason, at_ms: int
) -> ContactDisconnected:
    """The conversation ended, perhaps on hold; talk and hold together are all of its time."""
    hold_ms = talk.total_hold_ms(at_ms)
    return ContactDisconnected(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        offer_id=contact.offer.offer_id,
        agent_id=contact.offer.agent_id,
        queue_id=contact.place.queue_id,
        reason=reason,
        talk_ms=at_ms - talk.connected_at_ms - hold_ms,
        hold_ms=hold_ms,
        completes_by_ms=at_ms + WRAP_UP_GUARD_MS,
    )


def completed(
    contact: Contact, reason: CompletionReason, at_ms: int, *, wrap_up_ms: int
) -> ContactCompleted:
    """The contact is over; a wrap-up that nobody reported counts 0 ms."""
    return ContactCompleted(
        at_ms=at_ms,
        contact_id=contact.contact_id,
        queue_id=contact.place.queue_id,
        reason=reason,
        wrap_up_ms=wrap_up_ms,
    )
