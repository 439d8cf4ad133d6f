"""The memory of onebox with many contacts waiting and many agents at their desks."""

import time
from statistics import median

from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.load import Waiting, fill
from huntgroup_onebox.bench.machine import memory_mib_of
from huntgroup_onebox.bench.serving import onebox
from huntgroup_onebox.bench.workbench import Workbench

WAITING, AGENTS = 10_000, 1_000
SHARE_QUICK = 20
SETTLE_S = 3.0
RUNS = 3


def memory(bench: Workbench) -> list[Measured]:
    """Fill a onebox that was just started, and look at its resident memory while everybody waits."""
    share = SHARE_QUICK if bench.quick else 1
    runs = [_filled(bench, share) for _ in range(1 if bench.quick else RUNS)]
    empty, full, peak = ([run[place] for run in runs] for place in range(3))
    return [
        Measured(
            name="memory-onebox",
            repeats=full,
            baseline=f"{median(empty):.0f} MiB with nothing in it; {max(peak):.0f} MiB at most",
            client=f"{WAITING // share:,} waiting, {AGENTS // share:,} desktops open; resident set",
            details={"empty_mib": empty, "peak_mib": peak},
        )
    ]


def _filled(bench: Workbench, share: int) -> tuple[float, float, float]:
    """Return the MiB of a new onebox when it is empty, when it is full, and at most."""
    with onebox(bench) as served:
        (pid,) = served.pids.values()
        empty = memory_mib_of(pid)
        with fill(bench, served, Waiting(contacts=WAITING // share, agents=AGENTS // share)):
            time.sleep(SETTLE_S)
            full, peak = memory_mib_of(pid), memory_mib_of(pid, "VmHWM")
    bench.say(f"memory-onebox: {empty:.0f} MiB empty, {full:.0f} MiB full, {peak:.0f} MiB at most")
    return empty, full, peak
