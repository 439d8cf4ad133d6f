"""Routing: queues, policies, waiting contacts and offers."""
