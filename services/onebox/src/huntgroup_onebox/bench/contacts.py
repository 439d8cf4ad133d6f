"""How many whole contacts a second go through the gRPC API: the knee of a staircase of open-loop arrivals."""

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.load import LoadResult, Stairs, play_load
from huntgroup_onebox.bench.serving import Served, onebox
from huntgroup_onebox.bench.workbench import Workbench

AGENTS = 300
CLIENT = "grpc.aio, one process, one connection a service, requests as bytes; Poisson arrivals, open loop"


def contacts_onebox(bench: Workbench) -> list[Measured]:
    """Measure onebox on the embedded log, every record synced to the disk before it counts."""
    with onebox(bench) as served:
        return [saturation(bench, served, "contacts-onebox", first_rate=40.0)]


def saturation(bench: Workbench, served: Served, name: str, *, first_rate: float) -> Measured:
    """Climb once to see where the knee is, then several times from below it."""
    step_s = 2.0 if bench.quick else 3.0
    coarse = Stairs(first_rate=first_rate, factor=1.3, step_s=step_s, steps=12)
    first = _climb(bench, served, coarse, name, 0)
    knee = first.knee() or first_rate
    fine = Stairs(first_rate=max(5.0, 0.5 * knee), factor=1.1, step_s=step_s, steps=9)
    climbs = [_climb(bench, served, fine, name, 1 + number) for number in range(bench.repeats)]
    knees = [climb.knee() for climb in climbs]
    bench.found[name] = sorted(knees)[len(knees) // 2]
    return Measured(
        name=name,
        repeats=knees,
        baseline=f"load's own CPU {climbs[-1].client_cores:.2f} cores",
        client=f"{CLIENT}; {AGENTS} agents; one domain, so one partition of each journal",
        details={"climbs": [climb.told() for climb in (first, *climbs)]},
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
