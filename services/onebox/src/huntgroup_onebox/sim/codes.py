"""The code that replicas run: today's, and that of an upgrade, whose states hold one thing more."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Final

from huntgroup_agent_state.wiring import application as agent_state_application
from huntgroup_eventlog.application import Application, Core, Refusal
from huntgroup_onebox.sim.plan import SERVICES
from huntgroup_recording.wiring import application as recording_application
from huntgroup_reporting.settings import ReportingSettings
from huntgroup_reporting.wiring import application as reporting_application
from huntgroup_routing.wiring import application as routing_application
from huntgroup_session.wiring import application as session_application

INTERVAL_MS: Final = 5_000
"""Of the ledger, so that a story has several."""
REPORTING: Final = ReportingSettings(ledger_interval_ms=INTERVAL_MS)
UPGRADED: Final = "upgraded"
_COUNT_BYTES: Final = 8


@cache
def todays() -> Mapping[str, Application]:
    """Return the five services as the journal runs them; they keep nothing between two calls."""
    made = (
        session_application(),
        agent_state_application(),
        routing_application(),
        recording_application(),
        replace(reporting_application(REPORTING), source_linger_ms=50),
    )
    return dict(zip(SERVICES, made, strict=True))


def upgraded(application: Application) -> Application:
    """Return the code of the next version; made anew for each replica, since it keeps counts."""
    return replace(
        application,
        core=CountingCore(application.core),
        code_version=f"{application.code_version} {UPGRADED}",
    )


class CountingCore:
    """A core whose state also knows how many events made it: a snapshot of older code does not say that."""

    def __init__(self, inner: Core) -> None:
        self._inner = inner
        self._counts: dict[int, tuple[Any, int]] = {}

    def initial(self, domain: str) -> Any:
        return self._count(self._inner.initial(domain), 0)

    def decide(self, state: Any, command: Any, at_ms: int) -> tuple[Any, ...] | Refusal:
        return self._inner.decide(state, command, at_ms)

    def evolve(self, state: Any, event: Any) -> Any:
        count = self._counts[id(state)][1]
        return self._count(self._inner.evolve(state, event), count + 1)

    def next_deadline(self, state: Any) -> int | None:
        return self._inner.next_deadline(state)

    def pass_time(self) -> Any:
        return self._inner.pass_time()

    def dump(self, state: Any) -> bytes:
        count = self._counts[id(state)][1]
        return self._inner.dump(state) + b"#" + count.to_bytes(_COUNT_BYTES, "big")

    def load(self, domain: str, dumped: bytes) -> Any:
        """Read a state; as a new field does, the count begins at 0 where there is none."""
        end = len(dumped) - _COUNT_BYTES - 1
        if dumped[end : end + 1] == b"#":
            count = int.from_bytes(dumped[end + 1 :], "big")
            return self._count(self._inner.load(domain, dumped[:end]), count)
        return self._count(self._inner.load(domain, dumped), 0)

    def _count(self, state: Any, count: int) -> Any:
        # The state itself is kept with its count, so that its id stays its own.
        self._counts[id(state)] = (state, count)
        return state
