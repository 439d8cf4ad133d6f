"""Generated from proto/huntgroup/journal/v1 by `make proto`; do not edit."""
