"""Generated from proto/huntgroup/event by `make proto`; do not edit."""
