"""Generated from proto/huntgroup/routing by `make proto`; do not edit."""
