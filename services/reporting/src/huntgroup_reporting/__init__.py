"""Reporting: the KPI ledger, live views and exports."""
