"""Run the session service: `python -m huntgroup_session`."""

import sys

from huntgroup_runtime.process import run_service
from huntgroup_session.wiring import wire

if __name__ == "__main__":
    sys.exit(run_service("session", wire))
