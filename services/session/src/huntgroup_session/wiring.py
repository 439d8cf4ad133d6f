"""Puts the session service together; nothing else here makes concrete things."""

from huntgroup_eventlog.application import Application
from huntgroup_eventlog.code_version import code_version
from huntgroup_runtime.process import Process
from huntgroup_session.adapters.grpc_api import session_api
from huntgroup_session.adapters.mapping import event_codec
from huntgroup_session.app.reactions import SessionReactions
from huntgroup_session.core import SessionCore


async def wire(process: Process) -> None:
    """Add the journal of contacts and its API to `process`."""
    journals = process.add_journals(application())
    process.add_api(session_api(journals, process.peers, process.telemetry))


def application() -> Application:
    """Return the service as the journal runs it."""
    return Application(
        service="session",
        core=SessionCore(),
        codec=event_codec(),
        reactions=SessionReactions(),
        code_version=code_version("huntgroup_session.core", "huntgroup.session.v1"),
    )
