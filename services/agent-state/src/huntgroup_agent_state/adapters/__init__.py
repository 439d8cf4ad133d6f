"""gRPC: commands, queries and the streams of agent desktops."""
