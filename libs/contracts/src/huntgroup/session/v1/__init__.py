"""Generated from proto/huntgroup/session/v1 by `make proto`; do not edit."""
