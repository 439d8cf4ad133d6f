"""The log port's adapters: `memory` (simulation), `embedded` (one machine, SQLite) and `kafka`."""
