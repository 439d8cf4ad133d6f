"""Puts the recording service together; nothing else here makes concrete things."""

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.code_version import code_version
from huntgroup_recording.adapters.grpc_api import Reads, recording_api
from huntgroup_recording.adapters.mapping import event_codec
from huntgroup_recording.adapters.media import WavArchive
from huntgroup_recording.adapters.store import open_vault
from huntgroup_recording.adapters.streams import AudioIntake
from huntgroup_recording.app.effects import Sealing
from huntgroup_recording.app.ports import RecordingVault, VaultError
from huntgroup_recording.app.queries import LiveRecordings
from huntgroup_recording.app.reactions import RecordingReactions
from huntgroup_recording.core import RecordingCore
from huntgroup_recording.settings import RecordingSettings, store_url_beside
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import SettingsError, load_settings


async def wire(
    process: Process,
    settings: RecordingSettings | None = None,
    vault: RecordingVault | None = None,
) -> None:
    """Add the journal of recordings, its API and its effects to `process`; raises `SettingsError`.

    Without `vault` the settings say where recordings are kept.
    """
    settings = settings or load_settings(RecordingSettings)
    vault = vault or vault_of(settings, process.settings.log_url)
    archive = WavArchive(vault)
    live = LiveRecordings()
    journals = process.add_journals(application())
    sealing = Sealing(
        journals=journals,
        archive=archive,
        clock=process.clock,
        activity=process.activity,
        live=live,
        stop_grace_ms=settings.stop_grace_ms,
        compositions_max=settings.compositions_max,
        telemetry=process.telemetry,
    )
    intake = AudioIntake(
        journals=journals,
        archive=archive,
        clock=process.clock,
        activity=process.activity,
        live=live,
        hello_wait_ms=settings.hello_wait_ms,
        silent_stream_ms=settings.silent_stream_ms,
    )
    journals.subscribe(sealing)
    process.add_closer("sealing", sealing.close)
    reads = Reads(journals, archive, vault)
    process.add_api(
        recording_api(journals, process.peers, process.telemetry, intake=intake, reads=reads)
    )


def vault_of(settings: RecordingSettings, log_url: str) -> RecordingVault:
    """Open the object storage; raises `SettingsError`."""
    url = settings.store_url
    try:
        url = url or store_url_beside(log_url)
        return open_vault(url, timeout_ms=settings.store_timeout_ms)
    except (ValueError, VaultError) as error:
        raise SettingsError(f"HUNTGROUP_RECORDING_STORE_URL={url!r}: {error}") from None


def application() -> Application:
    """Return the service as the journal runs it."""
    return Application(
        service="recording",
        core=RecordingCore(),
        codec=event_codec(),
        reactions=RecordingReactions(),
        code_version=code_version("huntgroup_recording.core", "huntgroup.recording.v1"),
    )
