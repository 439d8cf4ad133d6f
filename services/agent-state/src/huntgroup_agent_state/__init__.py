"""Agent state: presence, capacity, skills and wrap-up of every agent."""
