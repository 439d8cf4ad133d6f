"""Run the reporting service: `python -m huntgroup_reporting`."""

import sys

from huntgroup_reporting.wiring import wire
from huntgroup_runtime.process import run_service

if __name__ == "__main__":
    sys.exit(run_service("reporting", wire))
