"""The reporting service has no spans or metrics of its own.

Journal, calls and relay are measured for every service alike (`huntgroup_runtime.metrics`). Its figures are answers,
not metrics: a scrape every few seconds is no ledger.
"""
