"""Generated from proto/huntgroup/session by `make proto`; do not edit."""
