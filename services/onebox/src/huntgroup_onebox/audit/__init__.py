"""The auditor: reads a log and says whether the invariants hold, and if not, which record broke one first."""

from huntgroup_onebox.audit.auditor import audit
from huntgroup_onebox.audit.report import AuditReport, Line, Place, Violation

__all__ = ["AuditReport", "Line", "Place", "Violation", "audit"]
