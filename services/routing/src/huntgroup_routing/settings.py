"""The routing service has no settings of its own: those of every process are `huntgroup_runtime.settings`.

What concerns one queue, such as how long it rings, is configured with the queue and stands in the journal.
"""
