"""Recording: what is recorded of a contact, the intake of its audio, and the sealed file."""
