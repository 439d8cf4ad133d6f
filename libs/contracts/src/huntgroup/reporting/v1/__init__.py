"""Generated from proto/huntgroup/reporting/v1 by `make proto`; do not edit."""
