"""What a figure was measured on: the machine, how busy it was, and the versions of what matters."""

import os
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huntgroup_runtime.local_kafka_install import KAFKA_VERSION

PACKAGES = ("grpcio", "protobuf", "confluent-kafka", "aiokafka", "uvloop", "msgspec")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Return the machine, its load before the run and the versions."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "kafka": f"{KAFKA_VERSION}, one broker, KRaft, default settings, on this machine",
        "packages": {name: version(name) for name in PACKAGES},
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


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
