"""What the routing service takes in from others, and what may be asked of it."""
