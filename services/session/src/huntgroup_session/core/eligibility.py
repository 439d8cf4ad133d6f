"""Why a command is refused: every "no" of this service, with the sentence that explains it."""

from huntgroup_session.core.messages import (
    CompleteContact,
    EndContact,
    HangUpContact,
    HoldContact,
    QueueContact,
    Reason,
    Refused,
    RetrieveContact,
    StartContact,
)
from huntgroup_session.core.state import CONTACTS_MAX, Connected, Contact, OnHold, State
from huntgroup_session.core.values import ContactId, QueueId

AgentCommand = EndContact | HoldContact | RetrieveContact
"""Only the agent in the conversation may give these."""

ContactCommand = AgentCommand | QueueContact | HangUpContact | CompleteContact


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


def refuse_queue(state: State, queue_id: QueueId) -> Refused | None:
    """Return why no contact can be queued there now; None when one can."""
    queue = state.queues.get(queue_id)
    if queue is None or not queue.open:
        detail = f"queue_id {queue_id!r} is not known: it must be configured in routing"
        return Refused(Reason.QUEUE_UNKNOWN, detail)
    if queue.waiting >= queue.waiting_max:
        detail = f"queue_id {queue_id!r} is full: its waiting_max is {queue.waiting_max}"
        return Refused(Reason.QUEUE_FULL, detail)
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
