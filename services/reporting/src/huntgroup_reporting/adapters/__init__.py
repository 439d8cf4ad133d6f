"""The edges of reporting: its gRPC API, its database, Faust, and how its messages are written."""
