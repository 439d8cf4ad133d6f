"""What may be asked about a domain. A query reads, and keeps nothing of the state."""

from huntgroup_session.core.eligibility import refuse_unknown
from huntgroup_session.core.messages import Refused
from huntgroup_session.core.state import Contact, State
from huntgroup_session.core.values import ContactId


def find_contact(state: State, contact_id: ContactId) -> Contact | Refused:
    """Return a contact that is live, or among the last to end; it is the state's own: do not keep it."""
    return state.find(contact_id) or refuse_unknown(contact_id)
