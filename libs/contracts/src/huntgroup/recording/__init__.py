"""Generated from proto/huntgroup/recording by `make proto`; do not edit."""
