"""The edges of the routing service: its gRPC API, and how its messages are written."""
