"""Wire contracts by hand: CloudEvents headers and the codec between bytes and messages."""
