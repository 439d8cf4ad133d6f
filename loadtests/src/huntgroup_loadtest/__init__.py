"""Load tests: open-loop contact traffic, measured from the scheduled start."""
