"""Generated from proto/huntgroup/journal by `make proto`; do not edit."""
