"""The routing service has no spans or metrics of its own.

Calls, commands by outcome, journal and relay are measured for every service alike (`huntgroup_runtime.metrics`), and
numbers about queues and offers are the business of reporting, which counts them from the events.
"""
