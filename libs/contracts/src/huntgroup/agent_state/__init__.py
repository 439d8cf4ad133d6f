"""Generated from proto/huntgroup/agent_state by `make proto`; do not edit."""
