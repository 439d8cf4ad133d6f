"""Between the core and the outside: what is taken in from other services, and what may be asked."""
