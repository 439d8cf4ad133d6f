"""`python -m huntgroup_agent_state` runs the service."""

import sys

from huntgroup_agent_state.wiring import wire
from huntgroup_runtime.process import run_service

sys.exit(run_service("agent-state", wire))
