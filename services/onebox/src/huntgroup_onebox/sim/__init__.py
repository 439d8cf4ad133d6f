"""The whole system in one thread: real services, owner loops and APIs under a seeded scheduler with virtual time."""
