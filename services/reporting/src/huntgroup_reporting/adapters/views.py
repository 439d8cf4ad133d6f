"""Live views by Faust, from the public topics on Kafka. The only file that knows Faust.

For deployments that want the views apart from the journal's owners. Faust delivers at least once; the gapless
`sequence` of each service in each domain tells what was seen before, so every event counts once. Its guarantee
`exactly_once` is not used, and neither are tables with a changelog: they would write a domain's whole state for each of
its events, and offsets committed apart from it could not be trusted after a crash. Instead each start joins a consumer
group of its own, reads all partitions from the beginning, and keeps the states in memory: what is lost is built again.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import structlog
from faust import App

from huntgroup.event.v1.envelope_pb2 import Envelope
from huntgroup_contracts.cloudevents import read_envelope
from huntgroup_contracts.registry import topic_events
from huntgroup_eventlog.port import Log
from huntgroup_reporting.app.reactions import ReportingReactions, observation
from huntgroup_reporting.core import ReportingCore
from huntgroup_reporting.core.projections import LiveDomain, follow, live_domain
from huntgroup_reporting.core.state import State
from huntgroup_runtime.clock import Clock

TOPICS: Final = tuple(topic_events(service) for service in ReportingReactions.sources)

_log = structlog.stdlib.get_logger(__name__)


class PublicEvents:
    """States of all domains, folded from public events that may come more than once and ahead of their turn.

    Of each service and domain only the event after the last one counts; docs/reference/topics.md has the rule.
    """

    def __init__(self, core: ReportingCore, *, from_beginning: bool = False) -> None:
        self._core = core
        self._from_beginning = from_beginning
        """Whether the first event of a service in a domain is number 1; else it is whichever comes first."""
        self._states: dict[str, State] = {}
        self._times_ms: dict[str, int] = {}
        self._sequences: dict[tuple[str, str], int] = {}
        self.taken = 0
        """Events that counted."""
        self.repeated = 0
        """Events that had been seen before."""
        self.ahead = 0
        """Events that came before their turn, and come again when it is theirs."""

    def state(self, domain: str) -> State:
        """Return a domain's state; it is not to be changed by the caller."""
        return self._states.get(domain) or self._core.initial(domain)

    def take(self, envelope: Envelope) -> None:
        """Take in one event if it is its turn; raises `ValueError` when its payload cannot be read."""
        key = (envelope.source, envelope.domain)
        before_first = 0 if self._from_beginning else envelope.sequence - 1
        turn = self._sequences.get(key, before_first) + 1
        if envelope.sequence != turn:
            self.repeated += envelope.sequence < turn
            self.ahead += envelope.sequence > turn
            return
        self._sequences[key] = turn
        self.taken += 1
        command = observation(envelope.type, envelope.payload)
        if command is not None:
            domain = envelope.domain
            at_ms = max(envelope.time_ms, self._times_ms.get(domain, 0))
            self._times_ms[domain] = at_ms
            self._states[domain] = follow(self.state(domain), command, at_ms)


class FaustViews:
    """Live views of all domains, in step with the public topics while `run` runs."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        core: ReportingCore,
        log: Log,
        clock: Clock,
        topics: Sequence[str] = TOPICS,
    ) -> None:
        self.events = PublicEvents(core, from_beginning=True)
        self._servers = bootstrap_servers.split(",")
        self._log = log
        self._clock = clock
        self._topics = topics

    async def live(self, domain: str) -> tuple[int, LiveDomain]:
        """Return the time now and the view as far as the topics have been read."""
        now_ms = self._clock.now_ms()
        return now_ms, live_domain(self.events.state(domain), now_ms)

    async def run(self) -> None:
        """Read the topics until cancelled; raises what keeps Faust from running."""
        # Faust's agents ignore topics that come into being after their start.
        await self._log.ensure_topics(self._topics)
        with TemporaryDirectory(prefix="huntgroup-reporting-views-") as folder:
            app = self._app(Path(folder))
            # Shielded, for Faust leaves a task behind when this is cancelled. It ends when the app stops.
            stopped = asyncio.ensure_future(app.wait_until_stopped())
            try:
                await app.start()
                await asyncio.shield(stopped)
            finally:
                await app.stop()
                await stopped

    def _app(self, folder: Path) -> Any:
        app = App(
            f"huntgroup-reporting-views-{secrets.token_hex(8)}",
            broker=[f"kafka://{server}" for server in self._servers],
            store="memory://",
            datadir=folder,  # it makes folders for tables, also where there are none
            processing_guarantee="at_least_once",
            consumer_auto_offset_reset="earliest",
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            loop=asyncio.get_running_loop(),
        )
        topic = app.topic(
            *self._topics,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        app.agent(topic, concurrency=1, name="views")(self._read)
        app.finalize()
        return app

    async def _read(self, stream: Any) -> AsyncIterator[None]:
        async for event in stream.events():
            try:
                headers = dict(event.message.headers)
                self.events.take(read_envelope(headers, event.message.key, event.message.value))
            except ValueError as error:
                _log.warning("a public event cannot be read", error=str(error))
            yield None
