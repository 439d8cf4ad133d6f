"""Why a command is refused: every "no" of this service, with the sentence that explains it."""

from typing import Final

from huntgroup_session.core.messages import (
    CancelCallback,
    CompleteContact,
    EndContact,
    HangUpContact,
    HoldContact,
    QueueContact,
    Reason,
    Refused,
    ReportDialOutcome,
    RequestCallback,
    RetrieveContact,
    StartContact,
)
from huntgroup_session.core.state import (
    CONTACTS_MAX,
    REQUIREMENTS_MAX,
    Connected,
    Contact,
    Initiated,
    OnHold,
    State,
)
from huntgroup_session.core.values import ContactId, QueueId

CALLBACKS_MAX: Final = 10_000
"""So many are to be called back at once where the queue does not say otherwise."""

CALLBACK_AHEAD_MAX_MS: Final = 30 * 86_400_000
"""So far ahead a callback may be planned, at most."""

AgentCommand = EndContact | HoldContact | RetrieveContact
"""Only the agent in the conversation may give these."""

ContactCommand = (
    AgentCommand
    | QueueContact
    | HangUpContact
    | CompleteContact
    | RequestCallback
    | CancelCallback
    | ReportDialOutcome
)


def refuse_start(state: State, command: StartContact) -> Refused | None:
    """Return why this contact cannot come in; None when it can."""
    known = state.find(command.contact_id)
    if known is not None:
        detail = f"contact_id {known.contact_id!r} is taken: that contact is {known.state}"
        return Refused(Reason.CONTACT_EXISTS, detail)
    keys = [attribute.key for attribute in command.attributes]
    if len(set(keys)) < len(keys):
        return Refused(Reason.ATTRIBUTE_REPEATED, f"attributes {keys} name a key more than once")
    if len(state.live) >= CONTACTS_MAX:
        detail = f"contact_id {command.contact_id!r} is one too many: {CONTACTS_MAX} contacts live"
        return Refused(Reason.CONTACTS_FULL, detail)
    return None


def refuse_queue(
    state: State, contact: Contact, queue_id: QueueId, asked: str = "", *, later: bool = False
) -> Refused | None:
    """Return why a contact that asks this of agents cannot be queued there now, or come later; None when it can."""
    queue = state.queues.get(queue_id)
    if queue is None or not queue.open:
        detail = f"queue_id {queue_id!r} is not known: it must be configured in routing"
        return Refused(Reason.QUEUE_UNKNOWN, detail)
    if queue.channel not in (None, contact.channel):
        detail = (
            f"queue_id {queue_id!r} takes {queue.channel} alone: the contact is {contact.channel}"
        )
        return Refused(Reason.WRONG_CHANNEL, detail)
    if queue.waiting >= queue.waiting_max and not later:
        detail = f"queue_id {queue_id!r} is full: its waiting_max is {queue.waiting_max}"
        return Refused(Reason.QUEUE_FULL, detail)
    if asked and asked not in state.requirements and len(state.requirements) >= REQUIREMENTS_MAX:
        detail = (
            f"requirement {asked!r} is one too many: those who wait have {REQUIREMENTS_MAX} others"
        )
        return Refused(Reason.REQUIREMENTS_FULL, detail)
    return None


def refuse_callback(
    state: State, contact: Contact, command: RequestCallback, at_ms: int
) -> Refused | None:
    """Return why this contact cannot become a callback; None when it can."""
    queue_id = contact.place.queue_id
    if isinstance(contact.phase, Initiated):
        queue_id = command.queue_id
        if not queue_id:
            detail = f"queue_id is empty, but contact_id {command.contact_id!r} waits in no queue"
            return Refused(Reason.QUEUE_MISSING, detail)
        no = refuse_queue(state, contact, queue_id, later=command.not_before_ms > at_ms)
        if no is not None:
            return no
    queue = state.queues[queue_id]
    if not queue.callback_attempts:
        detail = f"queue_id {queue_id!r} takes no callbacks: its callback_attempts is 0"
        return Refused(Reason.CALLBACKS_OFF, detail)
    if queue.callbacks >= (most := queue.callbacks_max or CALLBACKS_MAX):
        detail = f"queue_id {queue_id!r} calls back no more: its callbacks_max is {most}"
        return Refused(Reason.CALLBACKS_FULL, detail)
    return refuse_number(state, command) or refuse_window(command, at_ms)


def refuse_number(state: State, command: RequestCallback) -> Refused | None:
    """Return why this number cannot be called back; None when it can."""
    other = state.called_back.get(command.number)
    if other is not None:
        detail = f"number {command.number!r} is to be called back already: contact_id {other!r}"
        return Refused(Reason.CALLBACK_EXISTS, detail)
    return None


def refuse_window(command: RequestCallback, at_ms: int) -> Refused | None:
    """Return why nobody can be called back then; None when they can."""
    begins_ms, ends_ms = max(at_ms, command.not_before_ms), command.not_after_ms
    if ends_ms and ends_ms <= begins_ms:
        detail = f"not_after_ms {ends_ms} is not after {begins_ms}, when it may be dialled first"
        return Refused(Reason.WINDOW_INVALID, detail)
    latest_ms = at_ms + CALLBACK_AHEAD_MAX_MS
    if max(ends_ms, begins_ms) > latest_ms:
        name = "not_after_ms" if ends_ms > latest_ms else "not_before_ms"
        detail = f"{name} {max(ends_ms, begins_ms)} is after {latest_ms}: it may be 30 days ahead"
        return Refused(Reason.WINDOW_INVALID, detail)
    return None


def refuse(contact: Contact | None, command: ContactCommand, rule: str) -> Refused:
    """Return why a command to this contact is refused: it is not there, talks to another, or `rule` forbids it."""
    match contact:
        case None:
            return refuse_unknown(command.contact_id)
        case Contact(phase=Connected() | OnHold()) if isinstance(command, AgentCommand):
            detail = f"agent_id {command.agent_id!r} is not in contact_id {command.contact_id!r}"
            return Refused(Reason.WRONG_AGENT, detail)
        case _:
            detail = f"contact_id {command.contact_id!r} is {contact.state}: {rule}"
            return Refused(Reason.WRONG_STATE, detail)


def refuse_unknown(contact_id: ContactId) -> Refused:
    """Return that nobody by this id is here."""
    detail = f"contact_id {contact_id!r} is not known, or was over long ago"
    return Refused(Reason.CONTACT_UNKNOWN, detail)
