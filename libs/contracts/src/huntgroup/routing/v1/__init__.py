"""Generated from proto/huntgroup/routing/v1 by `make proto`; do not edit."""
