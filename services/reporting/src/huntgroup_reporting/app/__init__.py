"""Between the core and the outside: what is taken in from others, what may be asked, what is kept as history."""
