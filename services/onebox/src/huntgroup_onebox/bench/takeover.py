"""How long clients have no answer when the owner of their domain is killed: `kill -9`, on Kafka, under load.

The fault `kill-owner` of `huntgroup chaos`, with everything it checks: a kill after which something was lost counts for
nothing but a failure of this figure.
"""

import asyncio

import uvloop

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.faults import kill_owner
from huntgroup_onebox.chaos.results import Series, percentile
from huntgroup_onebox.chaos.run import Run

KILLS, KILLS_QUICK = 20, 5
SEED = "bench"


def takeover(bench: Workbench) -> list[Measured]:
    """Kill the owners of all services in turn; raises `RuntimeError` when something was lost."""
    kills = KILLS_QUICK if bench.quick else KILLS
    series: list[Series] = []
    run = Run(
        folder=bench.directory("takeover"),
        seed=SEED,
        kills=kills // len(SERVICES),
        services=list(SERVICES),
        say=bench.say,
        finished=series.append,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(kill_owner(run))
    lost = [problem for one in series for problem in one.problems]
    if lost:
        raise RuntimeError(f"something was lost: {'; '.join(lost[:3])}")
    seconds = [each for one in series for each in one.seconds]
    baseline = f"{len(seconds)} kills, the longest {max(seconds):.2f} s; nothing was lost"
    client = "asks each service every 0.08 s; two replicas a service; silence between two answers"
    details = {one.what: one.values() for one in series}
    return [
        Measured(
            name="takeover-p50",
            repeats=seconds,
            baseline=baseline,
            client=client,
            details=details,
        ),
        Measured(
            name="takeover-p99",
            # The spread: the longest of each service.
            repeats=[max(one.seconds) for one in series],
            whole=percentile(seconds, 99),
            baseline=baseline,
            client=client,
        ),
    ]
