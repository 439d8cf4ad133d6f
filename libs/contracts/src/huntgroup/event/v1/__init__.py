"""Generated from proto/huntgroup/event/v1 by `make proto`; do not edit."""
