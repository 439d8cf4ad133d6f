"""How a contact leaves its queue by key, and why it may not."""

from huntgroup_routing.core.leaving import Comer, Leaving, cancel, comer_of, follow
from huntgroup_routing.core.messages import Event, ExitQueue, Reason, Refused
from huntgroup_routing.core.overflow import OverflowRule, OverflowTrigger
from huntgroup_routing.core.state import Queue, State
from huntgroup_routing.core.values import Channel


def exit_queue(state: State, command: ExitQueue, at_ms: int) -> tuple[Event, ...] | Refused:
    """Let the customer leave by key, also while it rings."""
    contact = state.contacts.get(command.contact_id)
    if contact is None:
        return Refused(
            reason=Reason.CONTACT_UNKNOWN,
            detail=f"contact_id {command.contact_id!r} neither waits nor rings in this domain",
        )
    rules = (one for one in contact.plan.overflow if one.trigger is OverflowTrigger.EXIT_KEY)
    rule = next((one for one in rules if one.key == command.key), None)
    if rule is None:
        return Refused(
            reason=Reason.EXIT_KEY_UNKNOWN,
            detail=f"key {command.key!r} leads nowhere from queue_id {contact.queue_id!r}",
        )
    leaving, comer = Leaving(state, at_ms), comer_of(contact)
    queue = state.queues[contact.queue_id]
    hops = leaving.by(queue, rule, at_ms - contact.entered_at_ms, comer)
    if not hops:
        return _why_not(state, rule, comer)
    return (*cancel(state, contact, at_ms), *follow(leaving, [(contact, comer, hops)]))


def _why_not(state: State, rule: OverflowRule, comer: Comer) -> Refused:
    """Return why the queue that a rule leads to does not take a contact."""
    target, reason = state.queues.get(rule.queue_id), Reason.TARGET_FULL
    if target is None or target.retired:
        told = "which is no queue of this domain"
    elif not target.takes(comer.channel):
        reason, told = Reason.WRONG_CHANNEL, takes_alone(target, comer.channel)
    elif len(target.waiting) + target.ringing >= target.waiting_max:
        told = f"which is full: its waiting_max is {target.waiting_max}"
    else:
        told = "which is closed, and no rule of its own leads on"
    return Refused(
        reason=reason, detail=f"key {rule.key!r} leads to queue_id {rule.queue_id!r}, {told}"
    )


def takes_alone(queue: Queue, channel: Channel) -> str:
    """Return what is wrong with a contact of a channel in a queue that takes another one."""
    return f"which takes {queue.channel} alone: the contact is {channel}"
