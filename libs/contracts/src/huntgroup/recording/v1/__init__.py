"""Generated from proto/huntgroup/recording/v1 by `make proto`; do not edit."""
