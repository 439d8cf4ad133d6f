"""What is asked of agents for a contact, in words."""

from collections.abc import Iterable
from typing import Final

from huntgroup_routing.core import messages as routing
from huntgroup_routing.core.values import CancelReason, DequeueReason

CANCELED: Final = {
    CancelReason.CUSTOMER_LEFT: "the customer left",
    CancelReason.CUSTOMER_EXITED: "the customer left by key",
    CancelReason.CONTACT_MOVED: "somebody moved it",
    CancelReason.CALLBACK_POSTPONED: "the customer asked to be called later",
    CancelReason.CALLBACK_ENDED: "nobody is to be called back any more",
}
LEFT: Final = {
    DequeueReason.CUSTOMER_LEFT: "the customer left",
    DequeueReason.OVERFLOWED: "a rule of the queue let it go",
    DequeueReason.CALLBACK_POSTPONED: "the customer is called back later",
    DequeueReason.CALLBACK_DUE: "its turn came near: the customer is called",
    DequeueReason.CALLBACK_ENDED: "nobody is to be called back any more",
}


def needs_text(
    channel: str,
    event: routing.ContactEnqueued | routing.ContactStepped | routing.ContactReplanned,
    own_requirement: str,
) -> str:
    """Return what a contact asks of agents, with what it asks by itself."""
    needs = ", ".join([channel.lower(), *event.required_skills])
    if event.requirement:
        needs += f" and {event.requirement}"
    if own_requirement:
        needs += f" and, by itself, {own_requirement}"
    return f"{needs} and {groups_text(event.groups)}" if event.groups else needs


def groups_text(groups: Iterable[str]) -> str:
    """Return the groups that are asked."""
    return f"a group of {', '.join(one or 'no other' for one in groups)}"


def agents_text(count: int) -> str:
    """Return how many agents."""
    return f"{count:,} agent{'' if count == 1 else 's'}"
