"""The gRPC API: every rpc of `RoutingService` is a command of the core or a query of its state."""

from collections.abc import Mapping
from typing import Final

from huntgroup.routing.v1 import service_pb2
from huntgroup.routing.v1.commands_pb2 import (
    ApplyPolicyRequest,
    ExplainDecisionRequest,
    ExplainDecisionResponse,
    GetContactRequest,
    GetContactResponse,
    GetOfferRequest,
    GetOfferResponse,
    GetPolicyRequest,
    GetPolicyResponse,
    GetQueueRequest,
    GetQueueResponse,
    ListPolicyVersionsRequest,
    ListPolicyVersionsResponse,
    PlanPolicyRequest,
    PlanPolicyResponse,
    PolicyVersion,
    RollBackPolicyRequest,
)
from huntgroup_contracts.codec import CommandCodec
from huntgroup_routing.adapters.mapping import (
    STATUSES,
    change_view,
    contact_view,
    explanation,
    offer_view,
    policy_view,
    queue_view,
    version_view,
)
from huntgroup_routing.app.queries import (
    find_contact,
    find_offer,
    find_policy,
    find_queue,
    first_waiting,
    position_of,
    why_text,
)
from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.estimates import estimated_wait, estimated_wait_of_next
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ApplyPolicy,
    AssignContact,
    CloseQueue,
    ConfigureQueue,
    ExitQueue,
    MoveContact,
    OpenQueue,
    PolicyApplied,
    PullContact,
    Reason,
    Refused,
    RejectOffer,
    RollBackPolicy,
    SetContactPriority,
    SetQueuePriority,
)
from huntgroup_routing.core.previews import forecasts
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import ContactId, OfferId, QueueId, Vocabulary
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry

SERVICE: Final = service_pb2.DESCRIPTOR.services_by_name["RoutingService"]

COMMANDS: Final[Mapping[str, type]] = {
    "ConfigureQueue": ConfigureQueue,
    "ApplyPolicy": ApplyPolicy,
    "RollBackPolicy": RollBackPolicy,
    "AcceptOffer": AcceptOffer,
    "RejectOffer": RejectOffer,
    "PullContact": PullContact,
    "AssignContact": AssignContact,
    "ExitQueue": ExitQueue,
    "MoveContact": MoveContact,
    "SetContactPriority": SetContactPriority,
    "SetQueuePriority": SetQueuePriority,
    "CloseQueue": CloseQueue,
    "OpenQueue": OpenQueue,
}

APPLY: Final = CommandCodec(ApplyPolicyRequest, ApplyPolicy)
ROLL_BACK: Final = CommandCodec(RollBackPolicyRequest, RollBackPolicy)


def routing_api(journals: Journals, peers: Peers, telemetry: Telemetry, clock: Clock) -> RpcApi:
    """Return the API over `journals`; calls for domains of other replicas go to their owners by `peers`."""
    api = RpcApi(SERVICE, journals=journals, peers=peers, telemetry=telemetry, statuses=STATUSES)
    for rpc, command in COMMANDS.items():
        api.command(rpc, command)
    reads = Reads(clock)
    api.query("PlanPolicy", reads.plan_policy)
    api.query("GetPolicy", get_policy)
    api.query("ListPolicyVersions", list_policy_versions)
    api.query("GetQueue", reads.get_queue)
    api.query("GetOffer", get_offer)
    api.query("GetContact", reads.get_contact)
    api.query("ExplainDecision", explain_decision)
    return api


class Reads:
    """Queries whose answers depend on the time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get_queue(self, request: GetQueueRequest, state: State) -> GetQueueResponse | Refused:
        """Read a queue, with the contacts that are served first, and how long one would wait that came now."""
        queue = find_queue(state, QueueId(request.queue_id))
        if isinstance(queue, Refused):
            return queue
        estimated = estimated_wait_of_next(queue, self._clock.now_ms())
        return GetQueueResponse(queue=queue_view(queue, first_waiting(state, queue), estimated))

    def get_contact(self, request: GetContactRequest, state: State) -> GetContactResponse | Refused:
        """Read a contact that waits or rings, and how long it will wait."""
        contact = find_contact(state, ContactId(request.contact_id))
        if isinstance(contact, Refused):
            return contact
        estimated = estimated_wait(state, contact, self._clock.now_ms())
        return contact_view(contact, position_of(state, contact), estimated)

    def plan_policy(self, request: PlanPolicyRequest, state: State) -> PlanPolicyResponse:
        """Say what a change of the policy would do now."""
        at_ms = self._clock.now_ms()
        command: ApplyPolicy | RollBackPolicy = (
            ROLL_BACK.decode(request.roll_back)
            if request.HasField("roll_back")
            else APPLY.decode(request.apply)
        )
        events = decide(state, command, at_ms)
        if isinstance(events, Refused):
            faults = [events.detail]
            if isinstance(command, ApplyPolicy) and events.reason is Reason.POLICY_INVALID:
                words = command.vocabulary or Vocabulary()
                _, found = rules_and_faults(command.queues, words, at_ms, state.scorers)
                faults = list(map(str, found))
            return PlanPolicyResponse(version=state.versions.version, faults=faults)
        return PlanPolicyResponse(
            version=state.versions.version,
            changes=map(change_view, forecasts(state, events, at_ms)),
            vocabulary_changes=any(
                isinstance(one, PolicyApplied) and one.vocabulary != state.versions.vocabulary
                for one in events
            ),
        )


def get_policy(request: GetPolicyRequest, state: State) -> GetPolicyResponse | Refused:
    """Read a version of the policy."""
    found = find_policy(state, request.version)
    if isinstance(found, Refused):
        return found
    known, rules, vocabulary = found
    number = request.version or state.versions.version
    version = PolicyVersion(version=number) if known is None else version_view(known)
    return policy_view(version, rules, vocabulary)


def list_policy_versions(_: ListPolicyVersionsRequest, state: State) -> ListPolicyVersionsResponse:
    """Read which versions are remembered."""
    return ListPolicyVersionsResponse(versions=map(version_view, reversed(state.versions.kept)))


def get_offer(request: GetOfferRequest, state: State) -> GetOfferResponse | Refused:
    """Read an offer that is open or was decided lately."""
    offer = find_offer(state, OfferId(request.offer_id))
    if isinstance(offer, Refused):
        return offer
    return GetOfferResponse(offer=offer_view(offer))


def explain_decision(
    request: ExplainDecisionRequest, state: State
) -> ExplainDecisionResponse | Refused:
    """Say why an offer that is open or was decided lately went to its agent."""
    offer = find_offer(state, OfferId(request.offer_id))
    if isinstance(offer, Refused):
        return offer
    if offer.why is None:
        return ExplainDecisionResponse(offer=offer_view(offer))
    return ExplainDecisionResponse(
        offer=offer_view(offer),
        explanation=explanation(offer.why),
        text=why_text(offer.why, offer.agent_id, offer.idle_agents, offer.created_at_ms),
    )
