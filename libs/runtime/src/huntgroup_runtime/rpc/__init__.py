"""gRPC: hosting, commands and queries, forwarding to the owner, and a client."""
