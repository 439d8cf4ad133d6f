"""The session service has no settings of its own: those of every process are `huntgroup_runtime.settings`."""
