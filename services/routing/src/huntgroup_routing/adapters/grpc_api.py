"""The gRPC API: every rpc of `RoutingService` is a command of the core or a query of its state."""

from collections.abc import Mapping
from typing import Final

from huntgroup.routing.v1 import service_pb2
from huntgroup.routing.v1.commands_pb2 import (
    ExplainDecisionRequest,
    ExplainDecisionResponse,
    GetContactRequest,
    GetContactResponse,
    GetOfferRequest,
    GetOfferResponse,
    GetQueueRequest,
    GetQueueResponse,
)
from huntgroup_routing.adapters.mapping import (
    STATUSES,
    contact_view,
    explanation,
    offer_view,
    queue_view,
)
from huntgroup_routing.app.queries import (
    find_contact,
    find_offer,
    find_queue,
    first_waiting,
    position_of,
    why_text,
)
from huntgroup_routing.core.estimates import estimated_wait, estimated_wait_of_next
from huntgroup_routing.core.messages import AcceptOffer, ConfigureQueue, Refused, RejectOffer
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import ContactId, OfferId, QueueId
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry

SERVICE: Final = service_pb2.DESCRIPTOR.services_by_name["RoutingService"]

COMMANDS: Final[Mapping[str, type]] = {
    "ConfigureQueue": ConfigureQueue,
    "AcceptOffer": AcceptOffer,
    "RejectOffer": RejectOffer,
}


def routing_api(journals: Journals, peers: Peers, telemetry: Telemetry, clock: Clock) -> RpcApi:
    """Return the API over `journals`; calls for domains of other replicas go to their owners by `peers`."""
    api = RpcApi(SERVICE, journals=journals, peers=peers, telemetry=telemetry, statuses=STATUSES)
    for rpc, command in COMMANDS.items():
        api.command(rpc, command)
    reads = Reads(clock)
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
