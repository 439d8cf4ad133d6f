"""What onebox still does when twice as many calls come as it can take, and whether ten minutes of calls cost memory."""

import json
import time
from pathlib import Path
from typing import Any, Final

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.machine import memory_mib_of
from huntgroup_onebox.bench.serving import Served, onebox
from huntgroup_onebox.bench.workbench import Workbench, finish, last_words, read_json, running

AGENTS: Final = 600
CLIENT: Final = "grpc.aio, one process; Poisson arrivals, open loop; callers give up after 2 s"
WITHIN_S: Final = 1_500.0

SOAK_CALLS_PER_S: Final = 30.0
SOAK_WARM_S: Final = 600.0
"""So long it takes at that rate until the last 10,000 contacts of a domain, which every service keeps, are there."""
SOAK_S: Final = 600.0
SAMPLE_S: Final = 5.0


def goodput(bench: Workbench) -> list[Measured]:
    """Climb to the most that gets through, then offer twice that."""
    with onebox(bench) as served:
        play = {
            "first_rate": 40.0,
            "step_s": 5.0 if bench.quick else 8.0,
            "pair_s": 8.0 if bench.quick else 20.0,
            "pairs": bench.repeats,
        }
        found = _played(bench, served, {"goodput": play, "agents": AGENTS})
    bench.say(f"goodput-overload: peak {found['peak_per_s']:.0f}/s, ratios {found['ratios']}")
    return [
        Measured(
            name="goodput-overload",
            repeats=found["ratios"],
            baseline=f"peak {found['peak_per_s']:.0f} contacts/s",
            client=f"{CLIENT}; {AGENTS} agents; one domain",
            details=found,
        )
    ]


def soak(bench: Workbench) -> list[Measured]:
    """Play a steady rate and hold the memory of the last minute against that at the end of the warm-up."""
    share = 20 if bench.quick else 1
    warm_s, span_s = SOAK_WARM_S / share, SOAK_S / share
    with onebox(bench) as served:
        folder = bench.directory("soak")
        plan, result, log = folder / "plan.json", folder / "result.json", folder / "load.log"
        values = {"calls_per_s": SOAK_CALLS_PER_S, "seconds": warm_s + span_s}
        _write(plan, served, {"soak": values, "agents": AGENTS})
        (pid,) = served.pids.values()
        samples: list[tuple[float, float]] = []
        with running(["huntgroup_loadtest.overload", str(plan), str(result)], log) as process:
            begun_s = time.monotonic()
            while process.poll() is None:
                samples.append((time.monotonic() - begun_s, memory_mib_of(pid)))
                if len(samples) % 12 == 0:
                    bench.say(f"soak-memory: {samples[-1][0]:.0f} s: {samples[-1][1]:.1f} MiB")
                time.sleep(SAMPLE_S / share)
            finish(process, log, WITHIN_S)
        played = read_json(result)
    window_s = span_s / 10
    before = [mib for at_s, mib in samples if warm_s - window_s <= at_s < warm_s]
    after = [mib for at_s, mib in samples if warm_s + span_s - window_s <= at_s < warm_s + span_s]
    if not before or not after:
        raise RuntimeError(f"the soak ended early: {last_words(log)}")
    first, last = sum(before) / len(before), sum(after) / len(after)
    return [
        Measured(
            name="soak-memory",
            repeats=[(last / first - 1) * 100],
            baseline=f"{first:.0f} MiB after {warm_s:.0f} s, {last:.0f} MiB {span_s:.0f} s later",
            client=f"{CLIENT}; {SOAK_CALLS_PER_S:.0f} contacts/s; resident set",
            details={"samples": samples, "played": played},
        )
    ]


def _played(bench: Workbench, served: Served, what: dict[str, Any]) -> Any:
    folder = bench.directory("overload")
    plan, result, log = folder / "plan.json", folder / "result.json", folder / "load.log"
    _write(plan, served, what)
    with running(["huntgroup_loadtest.overload", str(plan), str(result)], log) as process:
        finish(process, log, WITHIN_S)
    for line in log.read_text(encoding="utf-8").splitlines():
        bench.say(f"goodput-overload: {line}")
    return read_json(result)


def _write(plan: Path, served: Served, what: dict[str, Any]) -> None:
    words = {"addresses": served.addresses, "domain": "bench/overload", "run": "overload"}
    plan.write_text(json.dumps({**words, **what}), encoding="utf-8")
