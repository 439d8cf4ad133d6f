"""Generated from proto/huntgroup/reporting by `make proto`; do not edit."""
