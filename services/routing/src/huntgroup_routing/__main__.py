"""Run the routing service: `python -m huntgroup_routing`."""

import sys

from huntgroup_routing.wiring import wire
from huntgroup_runtime.process import run_service

if __name__ == "__main__":
    sys.exit(run_service("routing", wire))
