"""Generated from proto/huntgroup by `make proto`; do not edit."""
