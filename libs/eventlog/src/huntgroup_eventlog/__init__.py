"""The log port, its adapters and the journal's claim-and-chain rule."""
