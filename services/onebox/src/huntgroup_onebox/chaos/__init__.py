"""Faults against a real cluster under load: what is done to it, how long it took, and whether anything was lost."""
