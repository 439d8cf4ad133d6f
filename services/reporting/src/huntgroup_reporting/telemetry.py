"""The reporting service has no spans or metrics of its own; what it logs for operators has a name here.

Journal, calls and relay are measured for every service alike (`huntgroup_runtime.metrics`). Its figures are answers,
not metrics: a scrape every few seconds is no ledger.
"""

from typing import Final

LEDGER_AHEAD: Final = "reporting.ledger.ahead"
"""The database held more than the journal (the log lost its end, or is another one): its rows are made anew.

Fields partition, database and journal, the positions.
"""

LEDGER_OF_ANOTHER: Final = "reporting.ledger.of_another"
"""The journal says something else where the database stands: the log was replaced, and the rows are made anew.

Fields as above.
"""
