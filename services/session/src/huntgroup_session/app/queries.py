"""What may be asked about a domain. A query reads, and keeps nothing of the state."""

from huntgroup_session.core.messages import Reason, Refused
from huntgroup_session.core.state import Contact, State
from huntgroup_session.core.values import ContactId


def find_contact(state: State, contact_id: ContactId) -> Contact | Refused:
    """Return a contact that is live, or among the last to end; it is the state's own: do not keep it."""
    contact = state.find(contact_id)
    if contact is None:
        detail = f"contact_id {contact_id!r} is not known, or was over long ago"
        return Refused(Reason.CONTACT_UNKNOWN, detail)
    return contact
