"""The journal: one writer per partition by claim and chain, read by one rule. No I/O, no clock, no randomness here."""
