"""What onebox still does when twice as many calls come as it can take, and whether ten minutes of calls cost memory."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.machine import memory_mib_of
from huntgroup_onebox.bench.serving import Served, onebox
from huntgroup_onebox.bench.workbench import Workbench, finish, read_json, running

AGENTS: Final = 600
SPAN_S: Final = 20.0
"""Long enough for its first part, which does not count, to outlast the contacts that were begun before it was full."""
ROUNDS: Final = 3
CLIENT: Final = "grpc.aio, one process; Poisson arrivals, open loop; callers give up after 2 s"
WITHIN_S: Final = 1_500.0

WARM_CALLS_PER_S: Final = 80.0
WARM_CONTACTS: Final = 12_000
"""Every service keeps the last 10,000 contacts of a domain; then there are as many as there will ever be."""
SOAK_CALLS_PER_S: Final = 30.0
SOAK_S: Final = 600.0
SAMPLE_S: Final = 0.1

Sample = tuple[float, float]
"""When, in seconds of the machine's monotonic clock, and what."""


def goodput(bench: Workbench) -> list[Measured]:
    """Climb to the most that gets through, then offer twice that."""
    with onebox(bench) as served:
        play = {
            "first_rate": 40.0,
            "step_s": 5.0 if bench.quick else 8.0,
            "span_s": 5.0 if bench.quick else SPAN_S,
            "rounds": min(bench.repeats, ROUNDS),
        }
        found, spent = _watched(
            bench,
            served,
            {"goodput": play, "agents": AGENTS},
            lambda: sum(served.cpu_s().values()),
        )
    per_cpu = [
        _per_cpu_s(each["twice"], spent) / _per_cpu_s(each["once"], spent)
        for each in found["rounds"]
    ]
    told = " ".join(f"{one:.2f}" for one in per_cpu)
    bench.say(f"goodput-overload: peak {found['peak_per_s']:.0f}/s, ratios {found['ratios']}")
    bench.say(f"goodput-overload: the same per second of onebox's CPU time: {told}")
    return [
        Measured(
            name="goodput-overload",
            repeats=found["ratios"],
            baseline=f"peak {found['peak_per_s']:.0f} contacts/s; per CPU second {median(per_cpu):.2f} ×",
            client=f"{CLIENT}; {AGENTS} agents; one domain",
            details={**found, "ratios_per_cpu_s": per_cpu},
        )
    ]


def soak(bench: Workbench) -> list[Measured]:
    """Play a steady rate, and hold the memory of its last minute against that of its first."""
    share = 20 if bench.quick else 1
    span_s = SOAK_S / share
    play = {
        "warm_calls_per_s": WARM_CALLS_PER_S,
        "warm_contacts": WARM_CONTACTS // share,
        "calls_per_s": SOAK_CALLS_PER_S,
        "seconds": span_s,
    }
    with onebox(bench) as served:
        (pid,) = served.pids.values()
        played, samples = _watched(
            bench, served, {"soak": play, "agents": AGENTS}, lambda: memory_mib_of(pid)
        )
    # The window in which goodput is counted begins after a quarter.
    ends_s = played["window_s"][1]
    minute_s = span_s / 10
    first = _mean(samples, ends_s - span_s, ends_s - span_s + minute_s)
    last = _mean(samples, ends_s - minute_s, ends_s)
    return [
        Measured(
            name="soak-memory",
            repeats=[(last / first - 1) * 100],
            baseline=f"{first:.1f} MiB in the first minute, {last:.1f} MiB in the last",
            client=f"{CLIENT}; {SOAK_CALLS_PER_S:.0f} contacts/s; resident set",
            details={"samples": samples, "played": played},
        )
    ]


def _mean(samples: Sequence[Sample], from_s: float, to_s: float) -> float:
    return mean(value for at_s, value in samples if from_s <= at_s <= to_s)


def _per_cpu_s(spans: Sequence[Mapping[str, Any]], spent: Sequence[Sample]) -> float:
    """Return contacts finished per second of onebox's CPU time: what a busy machine cannot distort much."""
    used_s = 0.0
    for one in spans:
        first, last = (_cpu_s_at(at_s, spent) for at_s in one["window_s"])
        used_s += last - first
    return float(sum(one["done_in_time"] for one in spans)) / max(used_s, 1e-3)


def _cpu_s_at(at_s: float, spent: Sequence[Sample]) -> float:
    return min(spent, key=lambda sample: abs(sample[0] - at_s))[1]


def _watched(
    bench: Workbench, served: Served, what: dict[str, Any], read: Callable[[], float]
) -> tuple[Any, list[Sample]]:
    """Return what was played, and what `read` gave meanwhile, at moments of the machine's monotonic clock."""
    folder = bench.directory("overload")
    plan, result, log = folder / "plan.json", folder / "result.json", folder / "load.log"
    _write(plan, served, what)
    samples: list[Sample] = []
    shown = 0
    with running(["huntgroup_loadtest.overload", str(plan), str(result)], log) as process:
        while process.poll() is None:
            samples.append((time.monotonic(), read()))
            for line in log.read_text(encoding="utf-8").splitlines()[shown:]:
                shown += 1
                bench.say(f"  {line}")
            time.sleep(SAMPLE_S)
        finish(process, log, WITHIN_S)
    return read_json(result), samples


def _write(plan: Path, served: Served, what: dict[str, Any]) -> None:
    words = {"addresses": served.addresses, "domain": "bench/overload", "run": "overload"}
    plan.write_text(json.dumps({**words, **what}), encoding="utf-8")
