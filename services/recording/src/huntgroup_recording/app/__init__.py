"""What the recording service does around its core: reactions, queries, its own commands, and effects."""
