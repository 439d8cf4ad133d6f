"""Run the recording service: `python -m huntgroup_recording`."""

import sys

from huntgroup_recording.wiring import wire
from huntgroup_runtime.process import run_service

if __name__ == "__main__":
    sys.exit(run_service("recording", wire))
