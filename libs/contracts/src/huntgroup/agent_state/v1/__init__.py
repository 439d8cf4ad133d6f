"""Generated from proto/huntgroup/agent_state/v1 by `make proto`; do not edit."""
