"""How many whole contacts a second go through the gRPC API: the knee of a staircase of open-loop arrivals."""

from statistics import median

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.load import LoadResult, Stairs, play_load
from huntgroup_onebox.bench.serving import Served, onebox
from huntgroup_onebox.bench.workbench import Workbench

AGENTS = 300
BURST_S, HOLD_S = 3.0, 20.0
HOLDS = 3
"""So many climbs of long steps; each ends at its first step that is not kept up with."""
BELOW, JUST_BELOW = 0.75, 0.9
"""A burst of a few seconds is taken that would not be for long: the first climb begins so much below it.

Those that follow begin just below what the one before found.
"""
CLIMBS_MAX = 8
CLIENT = "grpc.aio, one process, one connection a service, requests as bytes; Poisson arrivals, open loop"


def contacts_onebox(bench: Workbench) -> list[Measured]:
    """Measure onebox on the embedded log, every record synced to the disk before it counts."""
    with onebox(bench) as served:
        return [saturation(bench, served, "contacts-onebox", first_rate=40.0)]


def saturation(bench: Workbench, served: Served, name: str, *, first_rate: float) -> Measured:
    """Climb in short steps to see about where the knee is, then several times in long ones from below it."""
    burst_s, hold_s = (2.0, 4.0) if bench.quick else (BURST_S, HOLD_S)
    coarse = Stairs(first_rate=first_rate, factor=1.3, step_s=burst_s, steps=12)
    climbs = [_climb(bench, served, coarse, name, 0)]
    below = BELOW * (climbs[0].knee() or first_rate)
    knees: list[float] = []
    while len(knees) < min(HOLDS, bench.repeats):
        fine = Stairs(first_rate=max(5.0, below), factor=1.1, step_s=hold_s, steps=8)
        climbs.append(_climb(bench, served, fine, name, len(climbs)))
        if knee := climbs[-1].knee():
            knees.append(knee)
            below = JUST_BELOW * knee
        else:
            below *= BELOW
        if len(climbs) > CLIMBS_MAX:
            break
    bench.found[name] = median(knees) if knees else 0.0
    if not knees:
        raise RuntimeError(f"not even {below / BELOW:.0f} contacts/s were kept up with")
    return Measured(
        name=name,
        repeats=knees,
        baseline=f"load's own CPU {climbs[-1].client_cores:.2f} cores",
        client=(
            f"{CLIENT}; each step held for {hold_s:.0f} s; {AGENTS} agents;"
            " one domain, so one partition of each journal"
        ),
        details={"climbs": [climb.told() for climb in climbs]},
        samples={
            "due_to_completed_ms": climbs[-1].spans_ms("due_ns", "completed_ns"),
        },
    )


def _climb(bench: Workbench, served: Served, stairs: Stairs, name: str, number: int) -> LoadResult:
    played = play_load(
        bench, served, stairs, domain=f"bench/{name}-{number}", agents=AGENTS, seed=number
    )
    spent = " ".join(f"{who} {ms:.1f}" for who, ms in played.cpu_ms_per_contact.items())
    bench.say(f"{name}: climb {number}: {played.knee():.0f}/s; CPU ms per contact: {spent}")
    return played
