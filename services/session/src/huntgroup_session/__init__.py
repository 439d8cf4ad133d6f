"""Session: contacts from first ring to completed."""
