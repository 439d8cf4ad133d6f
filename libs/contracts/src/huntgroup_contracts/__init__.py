"""Wire contracts by hand: codecs, validation, the registry of event types and CloudEvents headers."""
