"""What a figure was measured on: the machine, how busy it was, and the versions of what matters."""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huntgroup_runtime.local_kafka_install import KAFKA_VERSION

CORES = 2
"""So many cores are what the promises of `loadtests/slo.toml` are about."""
PACKAGES = ("grpcio", "protobuf", "confluent-kafka", "aiokafka", "uvloop", "msgspec")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@contextmanager
def pinned() -> Iterator[None]:
    """Keep this process, and all that it starts meanwhile, to the first two cores that it may use."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:CORES])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def busy_share(seconds: float) -> float:
    """Return how much of the machine's CPU time is used while this process sleeps for so long, from 0 to 1."""
    before = _ticks()
    time.sleep(seconds)
    idle, all_ = (after - one for after, one in zip(_ticks(), before, strict=True))
    return 1 - idle / max(1, all_)


def _ticks() -> tuple[int, int]:
    """Return the clock ticks in which the cores had nothing to do, and all."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    ticks = [int(one) for one in line.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def machine() -> dict[str, Any]:
    """Return the machine, its load before the run and the versions."""
    return {
        "cpu": _cpu_name(),
        "cores": f"{os.cpu_count()}; everything runs on {_used_cores()}: load, services, broker",
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": f"{KAFKA_VERSION}, one broker, KRaft, default settings, on this machine",
        "packages": {name: version(name) for name in PACKAGES},
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _used_cores() -> str:
    if not hasattr(os, "sched_getaffinity"):
        return "all of them"
    return " and ".join(str(one) for one in sorted(os.sched_getaffinity(0)))


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def cpu_s_of(pid: int) -> float:
    """Return the CPU seconds that a process has used so far; 0 when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def cpu_s_here() -> float:
    """Return the CPU seconds that this process has used so far, all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_mib_of(pid: int, what: str = "VmRSS") -> float:
    """Return the resident memory of a process in MiB; `VmHWM`: the most it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid} has no {what}")
