"""The routing service's words on the wire: events, the views of queues and offers, and the status of each refusal."""

from collections.abc import Iterable, Mapping
from typing import Final, get_args

from grpc import StatusCode

from huntgroup.routing.v1 import events_pb2
from huntgroup.routing.v1.commands_pb2 import (
    ConfigureQueueRequest,
    FieldChange,
    GetContactResponse,
    GetPolicyResponse,
    OfferView,
    PolicyVersion,
    QueueChange,
    QueueView,
    WaitEstimate,
    WaitingView,
)
from huntgroup.routing.v1.events_pb2 import Channel, DecisionRule, SelectionStrategy
from huntgroup_contracts.codec import CONTEXT_FIELD, EventCodec
from huntgroup_contracts.mapping import build_mapping
from huntgroup_routing.app.queries import changed_fields
from huntgroup_routing.core.blending import BlendRule
from huntgroup_routing.core.hours import OpeningHours
from huntgroup_routing.core.messages import ConfigureQueue, Event, QueueConfigured, Reason
from huntgroup_routing.core.overflow import OverflowRule
from huntgroup_routing.core.pace import Estimate
from huntgroup_routing.core.policy import command_of
from huntgroup_routing.core.previews import Forecast
from huntgroup_routing.core.state import Contact, Offer, Queue
from huntgroup_routing.core.values import Explanation, RoutingStep, ServingGroup, Vocabulary
from huntgroup_routing.core.versions import Rules, Version

STATUSES: Final[Mapping[str, StatusCode]] = {
    Reason.EXIT_KEY_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.HOURS_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.OVERFLOW_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.TARGET_FULL: StatusCode.RESOURCE_EXHAUSTED,
    Reason.OFFER_ENDED: StatusCode.FAILED_PRECONDITION,
    Reason.OFFER_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.QUEUE_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.POLICY_CHANGED: StatusCode.ABORTED,
    Reason.POLICY_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.POLICY_TOO_LARGE: StatusCode.INVALID_ARGUMENT,
    Reason.POLICY_VERSION_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.REQUIREMENT_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.CONTACT_UNKNOWN: StatusCode.NOT_FOUND,
    Reason.STEPS_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.GROUPS_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.CALLBACKS_INVALID: StatusCode.INVALID_ARGUMENT,
    Reason.TOO_MANY_QUEUES: StatusCode.RESOURCE_EXHAUSTED,
    Reason.WRONG_AGENT: StatusCode.FAILED_PRECONDITION,
    Reason.WRONG_CHANNEL: StatusCode.FAILED_PRECONDITION,
    Reason.CONTACT_RINGS: StatusCode.FAILED_PRECONDITION,
    Reason.AGENT_NOT_AVAILABLE: StatusCode.FAILED_PRECONDITION,
    Reason.AGENT_NOT_ABLE: StatusCode.FAILED_PRECONDITION,
    Reason.SCORER_UNKNOWN: StatusCode.INVALID_ARGUMENT,
    Reason.PULL_NOT_ALLOWED: StatusCode.FAILED_PRECONDITION,
}

CONFIGURE: Final = build_mapping(ConfigureQueueRequest, ConfigureQueue, (CONTEXT_FIELD,))
VOCABULARY: Final = build_mapping(events_pb2.Vocabulary, Vocabulary)
HOURS: Final = build_mapping(events_pb2.OpeningHours, OpeningHours)
STEP: Final = build_mapping(events_pb2.RoutingStep, RoutingStep)
BLEND: Final = build_mapping(events_pb2.BlendRule, BlendRule)
QUEUE_IDS_MAX: Final = 100


def event_codec() -> EventCodec[Event]:
    """Return the codec of the events; raises `ContractMismatchError` when core and .proto differ."""
    return EventCodec(events_pb2, get_args(Event))


def queue_view(
    queue: Queue, first_waiting: Iterable[Contact], estimated: Estimate | None
) -> QueueView:
    """Return a queue as the API shows it."""
    return QueueView(
        queue_id=queue.queue_id,
        channel=Channel.Value(f"CHANNEL_{queue.channel or 'UNSPECIFIED'}"),
        required_skills=queue.plan.required_skills,
        ring_timeout_ms=queue.ring_timeout_ms,
        wrap_up_timeout_ms=queue.wrap_up_timeout_ms,
        service_level_threshold_ms=queue.service_level_threshold_ms,
        waiting_max=queue.waiting_max,
        strategy=SelectionStrategy.Value(f"SELECTION_STRATEGY_{queue.strategy}"),
        reoffer_after_ms=queue.reoffer_after_ms,
        policy_version=queue.version,
        requirement=queue.plan.requirement,
        steps=map(STEP.to_message, queue.plan.steps),
        skip_unservable_steps=queue.plan.skip_unservable,
        ring_max=queue.ring_max,
        ring_every_ms=queue.rules.ring_every_ms,
        pull_requirement=queue.rules.pull_requirement,
        preferred_hold_ms=queue.rules.preferred_hold_ms,
        prefers_last_agent=queue.rules.prefers_last_agent,
        direct_hold_ms=queue.rules.direct_hold_ms,
        scorer=queue.rules.scorer,
        overflow=map(overflow_rule, queue.plan.overflow),
        hours=None if queue.rules.hours is None else HOURS.to_message(queue.rules.hours),
        closed=queue.is_closed,
        closed_note=queue.closed_note or "",
        next_change_at_ms=queue.hours_change_at_ms,
        domain_version=queue.rules.domain_version,
        retired=queue.retired,
        priority_point_ms=queue.rules.priority_point_ms,
        groups=map(_serving_group, queue.rules.groups),
        callback_attempts=queue.rules.callback_attempts,
        callback_retry_ms=queue.rules.callback_retry_ms,
        resume_window_ms=queue.rules.resume_window_ms,
        callbacks_max=queue.rules.callbacks_max,
        callback_dial_ms=queue.rules.callback_dial_ms,
        blend=map(BLEND.to_message, queue.rules.blend),
        blended_groups=sorted(queue.blended),
        callback_dial_ahead=queue.rules.callback_dial_ahead,
        waiting=len(queue.waiting),
        ringing=queue.ringing,
        first_waiting=map(waiting_view, first_waiting),
        estimated_wait=estimate_view(estimated),
        service_level=queue.figures.service_level,
    )


def estimate_view(estimate: Estimate | None) -> WaitEstimate | None:
    """Return an estimate as the API shows it."""
    if estimate is None:
        return None
    return WaitEstimate(wait_ms=estimate.wait_ms, low_ms=estimate.low_ms, high_ms=estimate.high_ms)


def rules_view(rules: QueueConfigured) -> ConfigureQueueRequest:
    """Return the request that would make a queue what it is, without a context."""
    request: ConfigureQueueRequest = CONFIGURE.to_message(command_of(rules))
    return request


def policy_view(version: PolicyVersion, rules: Rules, vocabulary: Vocabulary) -> GetPolicyResponse:
    """Return a version of the policy."""
    return GetPolicyResponse(
        version=version,
        queues=(rules_view(rules[queue_id]) for queue_id in sorted(rules)),
        vocabulary=VOCABULARY.to_message(vocabulary),
    )


def version_view(version: Version) -> PolicyVersion:
    """Return what is remembered of a version, without its rules."""
    return PolicyVersion(
        version=version.version,
        at_ms=version.at_ms,
        author=version.author,
        reason=version.reason,
        rolled_back_to=version.rolled_back_to,
        queue_ids=sorted(version.before)[:QUEUE_IDS_MAX],
        queues=len(version.before),
    )


def change_view(change: Forecast) -> QueueChange:
    """Return what would happen to a queue."""
    return QueueChange(
        queue_id=change.queue_id,
        kind=change.kind,
        fields=(
            FieldChange(field=name, before=before, after=after)
            for name, before, after in changed_fields(change.before, change.after)
        ),
        waiting=change.waiting,
        ringing=change.ringing,
        change_requirement=change.change_requirement,
        change_step=change.change_step,
        become_unservable=change.become_unservable,
        become_servable=change.become_servable,
        change_leaving=change.change_leaving,
        leave_at_once=change.leave_at_once,
        no_agent_for_new=not change.serves_new,
    )


def _serving_group(group: ServingGroup) -> events_pb2.ServingGroup:
    return events_pb2.ServingGroup(
        group=group.group, rank=group.rank, weight=group.weight, delay_ms=group.delay_ms
    )


def overflow_rule(rule: OverflowRule) -> events_pb2.OverflowRule:
    """Return a rule as the API shows it."""
    return events_pb2.OverflowRule(
        trigger=events_pb2.OverflowTrigger.Value(f"OVERFLOW_TRIGGER_{rule.trigger}"),
        limit=rule.limit,
        key=rule.key,
        action=events_pb2.OverflowAction.Value(f"OVERFLOW_ACTION_{rule.action}"),
        queue_id=rule.queue_id,
        endpoint=rule.endpoint,
    )


def waiting_view(contact: Contact) -> WaitingView:
    """Return a contact as the API shows it."""
    return WaitingView(
        contact_id=contact.contact_id,
        priority=contact.priority,
        enqueued_at_ms=contact.enqueued_at_ms,
        attempts=contact.attempts,
        step=contact.step,
        priority_point_ms=contact.priority_point_ms,
        delays_over=contact.delays_over,
        next_step_at_ms=contact.plan.next_at_ms(contact.step, contact.enqueued_at_ms) or 0,
        conditional_steps=(
            STEP.to_message(one) for one in contact.plan.steps[contact.step :] if one.trigger
        ),
    )


def contact_view(contact: Contact, position: int, estimated: Estimate | None) -> GetContactResponse:
    """Return where a contact stands, and what is asked of agents for it."""
    skills, requirement, _, own = contact.requirement.ask
    return GetContactResponse(
        contact=waiting_view(contact),
        queue_id=contact.queue_id,
        offer_id=contact.offer_id or "",
        position=position,
        required_skills=skills,
        requirement=requirement,
        own_requirement=own,
        able_agents=contact.requirement.able,
        estimated_wait=estimate_view(estimated),
        ringing_at=len(contact.open_offers),
        awaited_agents=() if contact.awaited is None else contact.awaited.agents,
        awaited_until_ms=0 if contact.awaited is None else contact.awaited.until_ms,
    )


def offer_view(offer: Offer) -> OfferView:
    """Return an offer as the API shows it."""
    return OfferView(
        offer_id=offer.offer_id,
        contact_id=offer.contact_id,
        agent_id=offer.agent_id,
        queue_id=offer.queue_id,
        state=offer.state,
        created_at_ms=offer.created_at_ms,
        expires_at_ms=offer.expires_at_ms,
    )


def explanation(why: Explanation) -> events_pb2.Explanation:
    """Return why an offer was made, as its event said it."""
    strategy = "UNSPECIFIED" if why.strategy is None else why.strategy
    return events_pb2.Explanation(
        rule=DecisionRule.Value(f"DECISION_RULE_{why.rule}"),
        strategy=SelectionStrategy.Value(f"SELECTION_STRATEGY_{strategy}"),
        policy_version=why.policy_version,
        value=why.value,
        runner_up_id=why.runner_up_id,
        runner_up_value=why.runner_up_value,
        priority=why.priority,
        runner_up_priority=why.runner_up_priority,
        set_aside=why.set_aside,
        kept_for_others=why.kept_for_others,
        asked_by=why.asked_by,
        scorer=why.scorer,
        head_start_ms=why.head_start_ms,
        runner_up_head_start_ms=why.runner_up_head_start_ms,
        rank=why.rank,
        runner_up_rank=why.runner_up_rank,
    )
