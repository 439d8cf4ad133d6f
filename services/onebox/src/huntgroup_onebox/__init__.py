"""Onebox: every service in one process on the embedded log."""
