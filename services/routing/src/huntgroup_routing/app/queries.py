"""What may be asked about a domain. A query reads, and keeps nothing of the state."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import msgspec

from huntgroup_routing.core.changes import unknown_version
from huntgroup_routing.core.messages import ConfigureQueue, QueueConfigured, Reason, Refused
from huntgroup_routing.core.overflow import Overflow, OverflowAction, OverflowTrigger
from huntgroup_routing.core.policy import command_of
from huntgroup_routing.core.state import Contact, Offer, Queue, State
from huntgroup_routing.core.values import (
    AgentId,
    ContactId,
    DecisionRule,
    Explanation,
    OfferId,
    QueueId,
    StepTrigger,
    Strategy,
    Vocabulary,
)
from huntgroup_routing.core.versions import Rules, Version

FIRST_WAITING_MAX = 100

ALIKE = {
    Strategy.ROUND_ROBIN: "the next by id after whom the queue gave its last contact",
    Strategy.LINEAR: "the first by id",
    Strategy.RANDOM: "drawn by chance",
}
"""Strategies that go by no figure."""


BROUGHT_BY: Final = {
    StepTrigger.QUEUE_LENGTH: "{:,} contacts waited, of {:,} that bring it there",
    StepTrigger.ESTIMATED_WAIT: "who came would have waited {:,} ms, of {:,} that bring it there",
    StepTrigger.NOBODY_ON_DUTY: "nobody signed on could serve it by what was asked so far",
    StepTrigger.SERVICE_LEVEL: "{} % were answered in time of late, less than {} %",
}
"""What brings a contact to a step beside time."""


def find_queue(state: State, queue_id: QueueId) -> Queue | Refused:
    """Return a queue; it is the state's own: do not keep it."""
    queue = state.queues.get(queue_id)
    if queue is None:
        return Refused(
            reason=Reason.QUEUE_UNKNOWN,
            detail=f"queue_id {queue_id!r} names no queue of this domain",
        )
    return queue


def first_waiting(state: State, queue: Queue) -> list[Contact]:
    """Return the contacts of a queue that are served first, in the order of their places, at most 100."""
    places = islice(queue.waiting.in_order(), FIRST_WAITING_MAX)
    return [state.contacts[contact_id] for _, _, contact_id in places]


def find_contact(state: State, contact_id: ContactId) -> Contact | Refused:
    """Return a contact that waits or rings; it is the state's own: do not keep it."""
    return state.contacts.get(contact_id) or Refused(
        reason=Reason.CONTACT_UNKNOWN,
        detail=f"contact_id {contact_id!r} neither waits nor rings in this domain",
    )


def position_of(state: State, contact: Contact) -> int:
    """Return a waiting contact's position in its queue, from 1; 0 for one that rings."""
    if contact.offer_id is not None:
        return 0
    return state.queues[contact.queue_id].waiting.position(contact.place)


def find_offer(state: State, offer_id: OfferId) -> Offer | Refused:
    """Return an offer that is pending, or among the last to end; it is the state's own: do not keep it."""
    return state.find_offer(offer_id) or Refused(
        reason=Reason.OFFER_UNKNOWN,
        detail=f"offer_id {offer_id!r} names no offer of this domain, or it was over long ago",
    )


def find_policy(state: State, version: int) -> tuple[Version | None, Rules, Vocabulary] | Refused:
    """Return a version of the policy (0: the present one), and what is remembered of how it came about."""
    number = version or state.versions.version
    found = state.versions.at(number, state.policy())
    if found is None:
        return unknown_version(state, number)
    return next((one for one in state.versions.kept if one.version == number), None), *found


def changed_fields(
    before: QueueConfigured | None, after: QueueConfigured | None
) -> Iterator[tuple[str, str, str]]:
    """Yield name, value before and value after, as JSON, of each field of a queue that changes."""
    commands = [None if rules is None else command_of(rules) for rules in (before, after)]
    for one in fields(ConfigureQueue):
        said = ["" if told is None else _json(getattr(told, one.name)) for told in commands]
        if said[0] != said[1] and one.name != "queue_id":
            yield one.name, said[0], said[1]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def why_text(why: Explanation, agent_id: AgentId, idle_agents: int, at_ms: int) -> str:
    """Return in a sentence or two why an offer made at `at_ms` went to its agent."""
    if why.rule in (DecisionRule.PREFERRED, DecisionRule.DIRECT):
        waits = _in_line(why.priority, why.head_start_ms, why.value)
        said = "it was for them alone" if why.rule is DecisionRule.DIRECT else "they were preferred"
        return f"{agent_id} got it since {said}: {waits}"
    if why.rule in (DecisionRule.PULLED, DecisionRule.ASSIGNED):
        waits = _in_line(why.priority, why.head_start_ms, why.value)
        if why.rule is DecisionRule.PULLED:
            return f"{agent_id} took it from the queue by hand: {waits}"
        return f"{why.asked_by} gave it to {agent_id} by hand: {waits}"
    if why.strategy is None:
        by_rank = why.rule is DecisionRule.FIRST_BY_RANK
        text = f"{agent_id} became idle and got the first of the contacts they may serve"
        text += f" by rank and share: rank {why.rank}, " if by_rank else ": "
        text += _in_line(why.priority, why.head_start_ms, why.value)
        if why.runner_up_id:
            behind = _in_line(
                why.runner_up_priority, why.runner_up_head_start_ms, why.runner_up_value
            )
            rank = f"rank {why.runner_up_rank}, " if by_rank else ""
            text += f"; next was contact {why.runner_up_id}: {rank}{behind}"
        return text
    if why.rule is DecisionRule.RINGS_ALONG:
        return f"{agent_id} became idle and rings along, as agent number {why.value:,} at once"
    agents = "the only idle agent" if idle_agents == 1 else f"one of {idle_agents:,} idle agents"
    by = f"scorer {why.scorer}" if why.scorer else why.strategy
    text = f"{by} chose {agent_id}, {agents}: {_figure(why.strategy, why.value, at_ms)}"
    if why.runner_up_id:
        text += f"; next was {why.runner_up_id}"
        if why.strategy not in ALIKE:
            text += f": {_figure(why.strategy, why.runner_up_value, at_ms)}"
    if why.rule is DecisionRule.NOBODY_ELSE:
        return f"{text}; they had let it go a moment ago, but nobody else was idle for it"
    if why.set_aside:
        text += f"; {why.set_aside} set aside who had let it go a moment ago"
    if why.kept_for_others:
        text += (
            f"; {why.kept_for_others} kept for others of that moment, whom nobody else could serve"
        )
    return text


def trigger_text(trigger: StepTrigger, value: int, limit: int) -> str:
    """Return what brought a contact to a step beside time."""
    return BROUGHT_BY[trigger].format(value, limit)


def overflow_text(overflow: Overflow) -> str:
    """Return in a sentence why a queue did not take a contact or let it go, and what became of it."""
    value, limit, key = overflow.value, overflow.limit, overflow.key
    because = {
        OverflowTrigger.QUEUE_LENGTH: f"{value:,} waited already, and the limit is {limit:,}",
        OverflowTrigger.LONGEST_WAIT: f"somebody had waited {value / 1_000:,.3f} s already",
        OverflowTrigger.ESTIMATED_WAIT: f"it would wait {value / 1_000:,.3f} s by the estimate",
        OverflowTrigger.NOBODY_ON_DUTY: "nobody signed on could serve it",
        OverflowTrigger.CLOSED: "the queue was closed",
        OverflowTrigger.WAITED: f"it had waited {value / 1_000:,.3f} s in the queue",
        OverflowTrigger.EXIT_KEY: f"the customer pressed {key}",
        OverflowTrigger.WRONG_CHANNEL: "the queue takes another channel alone",
    }[overflow.trigger]
    then = {
        OverflowAction.HAND_BACK: "given back to whoever queued it",
        OverflowAction.QUEUE: "sent to another queue",
        OverflowAction.ENDPOINT: f"sent to {overflow.endpoint}",
        OverflowAction.VOICEMAIL: f"sent to the mailbox {overflow.endpoint}",
        OverflowAction.DISCONNECT: "disconnected",
    }[overflow.action]
    return (
        f"{then} by {overflow.trigger}: {because} (version {overflow.policy_version} of the policy)"
    )


def _in_line(priority: int, head_start_ms: int, since_ms: int) -> str:
    worth = f" worth {head_start_ms / 1_000:,.3f} s" if head_start_ms else ""
    return f"priority {priority}{worth}, waiting since {time_text(since_ms)}"


def _figure(strategy: Strategy, value: int, at_ms: int) -> str:
    match strategy:
        case Strategy.LONGEST_IDLE | Strategy.RING_ALL | Strategy.RING_PROGRESSIVELY:
            return f"idle since {time_text(value)}"
        case Strategy.MOST_IDLE:
            return f"idle for {(at_ms - value) / 1_000:,.3f} s in all"
        case Strategy.SCORED:
            return f"{value:,} points"
        case Strategy.FEWEST_CONTACTS:
            return f"{value:,} contacts accepted"
        case Strategy.LEAST_HANDLE_TIME:
            return f"{value / 1_000:,.3f} s of handling"
        case Strategy.LEAST_OCCUPIED:
            return f"{value / 10_000:.4f} % occupied"
        case Strategy.BEST_SKILL:
            return f"levels of {-value} in all"
        case Strategy.WEIGHTED_RANDOM:
            return f"drawn by chance with weight {value}"
        case _:
            return ALIKE[strategy]


def time_text(at_ms: int) -> str:
    """Return a time as people read it: UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_ms % 1_000:03d}"
