"""Live views as streams: first as it is, then when it has changed, never more often than asked.

Nothing is queued for a reader: the next view is made when the last one was taken, so a slow reader gets the latest
and misses the ones between. The pace is real time, whatever clock the services run on.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from huntgroup.reporting.v1.commands_pb2 import WatchDomainRequest, WatchDomainResponse
from huntgroup_reporting.adapters.mapping import live_view
from huntgroup_reporting.app.ports import LiveViews
from huntgroup_reporting.core.projections import LiveDomain, live_domain
from huntgroup_reporting.core.state import State
from huntgroup_runtime.clock import Clock
from huntgroup_runtime.ports import Journals

INTERVAL_MS: Final = 1_000
INTERVAL_MS_MIN: Final = 50


class JournalViews:
    """Live views from the state of reporting's own journal: exact after a restart, and nothing to keep in step.

    The state must know who waits and what agents do to keep the ledger, so it is a live view already; a second
    projection beside it would have to be rebuilt at every start and could differ.
    """

    def __init__(self, journals: Journals, clock: Clock) -> None:
        self._journals = journals
        self._clock = clock

    async def live(self, domain: str) -> tuple[int, LiveDomain]:
        """Return the time now and the view, after everything accepted so far; raises `NotOwnerError`."""
        now_ms = self._clock.now_ms()

        def read(state: State) -> LiveDomain:
            return live_domain(state, now_ms)

        return now_ms, await self._journals.query(domain, read)


async def watch(
    views: LiveViews, request: WatchDomainRequest
) -> AsyncGenerator[WatchDomainResponse, None]:
    """Yield the live view of the request's domain, until the reader goes or the domain is served elsewhere."""
    interval_s = max(request.interval_ms or INTERVAL_MS, INTERVAL_MS_MIN) / 1_000
    told: LiveDomain | None = None
    while True:
        now_ms, live = await views.live(request.domain)
        if live != told:
            told = live
            yield live_view(now_ms, live)
        await asyncio.sleep(interval_s)
