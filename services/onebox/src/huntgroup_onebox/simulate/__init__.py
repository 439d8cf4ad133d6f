"""`huntgroup simulate`: routing's own core in virtual time, with callers and agents drawn by chance."""
