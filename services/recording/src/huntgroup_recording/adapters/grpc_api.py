"""The gRPC API: every rpc of `RecordingService` is a command of the core, a read, or a stream of audio."""

from collections.abc import AsyncGenerator, Mapping
from typing import Final

from grpc import StatusCode

from huntgroup.recording.v1 import service_pb2
from huntgroup.recording.v1.commands_pb2 import (
    FetchRecordingRequest,
    FetchRecordingResponse,
    GetRecordingRequest,
    GetRecordingResponse,
    IngestAudioRequest,
)
from huntgroup_recording.adapters.mapping import STATUSES, recording_view, refused
from huntgroup_recording.adapters.streams import AudioIntake
from huntgroup_recording.app.ports import Archive, RecordingVault, VaultError
from huntgroup_recording.app.queries import RecordingFacts, find_recording
from huntgroup_recording.core.messages import (
    PauseRecording,
    Reason,
    Refused,
    ResumeRecording,
    SetRecordingPolicy,
)
from huntgroup_runtime.ports import Journals
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.errors import INVALID_REQUEST, RpcRefusedError
from huntgroup_runtime.rpc.forwarding import Peers
from huntgroup_runtime.telemetry import Telemetry

SERVICE: Final = service_pb2.DESCRIPTOR.services_by_name["RecordingService"]

COMMANDS: Final[Mapping[str, type]] = {
    "SetRecordingPolicy": SetRecordingPolicy,
    "PauseRecording": PauseRecording,
    "ResumeRecording": ResumeRecording,
}


def recording_api(
    journals: Journals, peers: Peers, telemetry: Telemetry, *, intake: AudioIntake, reads: "Reads"
) -> RpcApi:
    """Return the API over `journals`; calls for domains of other replicas go to their owners by `peers`."""
    api = RpcApi(SERVICE, journals=journals, peers=peers, telemetry=telemetry, statuses=STATUSES)
    for rpc, command in COMMANDS.items():
        api.command(rpc, command)
    api.stream_unary("IngestAudio", intake.take, domain=domain_of_hello)
    api.unary("GetRecording", reads.get_recording)
    api.unary_stream("FetchRecording", reads.fetch_recording, position=next_byte)
    return api


def domain_of_hello(first: IngestAudioRequest) -> str:
    """Return the domain that a stream of audio is for; empty when it does not begin as it should."""
    return first.hello.domain


def next_byte(message: FetchRecordingRequest | FetchRecordingResponse) -> str:
    """Return the byte that comes after a response; of a request, the one that it asks for first."""
    if isinstance(message, FetchRecordingRequest):
        return str(message.from_byte)
    return str(message.offset_bytes + len(message.data))


class Reads:
    """Reads of recordings: from the state, or for those it has forgotten, from what was kept beside their files."""

    def __init__(self, journals: Journals, archive: Archive, vault: RecordingVault) -> None:
        self._journals = journals
        self._archive = archive
        self._vault = vault

    async def get_recording(self, request: GetRecordingRequest) -> GetRecordingResponse:
        """Return what is known of a contact's recording."""
        facts = await self._find(request.domain, request.contact_id)
        return GetRecordingResponse(recording=recording_view(facts))

    async def fetch_recording(
        self, request: FetchRecordingRequest
    ) -> AsyncGenerator[FetchRecordingResponse, None]:
        """Yield the sealed file, from the byte that is asked for."""
        facts = await self._find(request.domain, request.contact_id)
        if facts.state != "SEALED":
            raise refused(
                Reason.WRONG_STATE,
                f"the recording of contact {request.contact_id!r} is {facts.state}; it must be SEALED",
            )
        at = request.from_byte
        if at > facts.length_bytes:
            raise RpcRefusedError(
                StatusCode.OUT_OF_RANGE,
                INVALID_REQUEST,
                f"from_byte={at}: the file has {facts.length_bytes} bytes",
            )
        try:
            async for piece in self._vault.read(facts.location, at):
                yield FetchRecordingResponse(data=piece, offset_bytes=at)
                at += len(piece)
        except VaultError as error:
            raise storage_failed(error) from error

    async def _find(self, domain: str, contact_id: str) -> RecordingFacts:
        facts = await self._journals.query(domain, lambda state: find_recording(state, contact_id))
        if isinstance(facts, RecordingFacts):
            return facts
        kept = None
        if facts.reason is Reason.CONTACT_UNKNOWN:
            try:
                kept = await self._archive.kept(domain, contact_id)
            except VaultError as error:
                raise storage_failed(error) from error
        return kept or _raise(facts)


def _raise(refusal: Refused) -> RecordingFacts:
    raise refused(refusal.reason, refusal.detail)


def storage_failed(error: VaultError) -> RpcRefusedError:
    """Return the answer when the storage fails."""
    detail = f"the storage does not give {str(error).partition(':')[0]}; try again"
    return RpcRefusedError(StatusCode.UNAVAILABLE, "STORAGE_FAILED", detail)
