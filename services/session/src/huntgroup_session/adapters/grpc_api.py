"""The gRPC API: every rpc of `SessionService` is a command of the core or a query of its state."""

from collections.abc import Mapping
from typing import Final

from huntgroup.session.v1 import service_pb2
from huntgroup.session.v1.commands_pb2 import GetContactRequest, GetContactResponse
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_session.adapters.mapping import STATUSES, contact_view
from huntgroup_session.app.queries import find_contact
from huntgroup_session.core.messages import (
    CancelCallback,
    CompleteContact,
    EndContact,
    HangUpContact,
    HoldContact,
    QueueContact,
    Refused,
    ReportDialOutcome,
    RequestCallback,
    RetrieveContact,
    StartContact,
)
from huntgroup_session.core.state import State
from huntgroup_session.core.values import ContactId

SERVICE: Final = service_pb2.DESCRIPTOR.services_by_name["SessionService"]

COMMANDS: Final[Mapping[str, type]] = {
    "StartContact": StartContact,
    "QueueContact": QueueContact,
    "HangUpContact": HangUpContact,
    "EndContact": EndContact,
    "HoldContact": HoldContact,
    "RetrieveContact": RetrieveContact,
    "CompleteContact": CompleteContact,
    "RequestCallback": RequestCallback,
    "CancelCallback": CancelCallback,
    "ReportDialOutcome": ReportDialOutcome,
}


def session_api(journals: Journals, peers: Peers, telemetry: Telemetry) -> RpcApi:
    """Return the API over `journals`; calls for domains of other replicas go to their owners by `peers`."""
    api = RpcApi(SERVICE, journals=journals, peers=peers, telemetry=telemetry, statuses=STATUSES)
    for rpc, command in COMMANDS.items():
        api.command(rpc, command)
    api.query("GetContact", get_contact)
    return api


def get_contact(request: GetContactRequest, state: State) -> GetContactResponse | Refused:
    """Read one contact."""
    contact = find_contact(state, ContactId(request.contact_id))
    if isinstance(contact, Refused):
        return contact
    return GetContactResponse(contact=contact_view(contact))
