"""What is asked of agents for a contact, in words."""

from collections.abc import Iterable

from huntgroup_routing.core import messages as routing


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
