"""The edges of the session service: its gRPC API, and how its messages are written."""
