"""Admission as services have it, watched: calls in progress are never turned away in favour of new work."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from huntgroup_eventlog.application import NEW_SHARE, Application, CommandOutcome, OverloadedError
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.rpc import errors
from huntgroup_runtime.rpc.admission import (
    Admission,
    AdmissionLimits,
    Shed,
    Waiting,
    Work,
)


class WatchedAdmission(Admission):
    """Tells `failed` when the half that is kept for work in progress was given to anything else."""

    def __init__(self, limits: AdmissionLimits, failed: Callable[[Exception], None]) -> None:
        super().__init__(limits)
        self._failed = failed
        self._empty_at_s: dict[str, float] = {}
        """When work in progress of a domain found no token."""
        self._others: dict[int, Waiting] = {}
        """What waits and is no work in progress."""

    def enter(
        self,
        domain: str,
        work: Work,
        *,
        now_s: float,
        door_s: float,
        crowded: bool,
        in_line: bool = True,
    ) -> Waiting | Shed:
        """As `Admission.enter`."""
        found = super().enter(
            domain, work, now_s=now_s, door_s=door_s, crowded=crowded, in_line=in_line
        )
        in_progress = work is Work.IN_PROGRESS
        if isinstance(found, Shed):
            if in_progress:
                self._check_places(domain, found)
                if found.reason == errors.DOMAIN_RATE_EXCEEDED:
                    self._empty_at_s[domain] = now_s
        elif not in_progress:
            self._others[id(found)] = found
            self._check_tokens(domain, now_s)
        return found

    def leave(self, entered: Waiting) -> None:
        """As `Admission.leave`."""
        self._others.pop(id(entered), None)
        super().leave(entered)

    def _check_tokens(self, domain: str, now_s: float) -> None:
        """Anything else may go in when the kept half of the bucket has come back, not before."""
        limits = self.limits
        refill_s = limits.domain_burst * (1 - NEW_SHARE) / limits.domain_commands_per_s
        since_s = now_s - self._empty_at_s.get(domain, float("-inf"))
        if since_s < refill_s:
            self._tell(f"{since_s:.3f} s after work in progress of {domain} found no token")

    def _check_places(self, domain: str, shed: Shed) -> None:
        if shed.reason != errors.DOMAIN_QUEUE_FULL:
            return
        held = Counter(one.domain for one in self._others.values())[domain]
        if held > self.limits.domain_waiting_max * NEW_SHARE:
            self._tell(f"while it held {held} places, and work in progress of {domain} found none")

    def _tell(self, when: str) -> None:
        self._failed(ViolationError(f"10: new work was let in {when}"))


class WatchedJournals(ServiceJournals):
    """Tells `failed` when a command that serves work in progress is refused while there is room for it."""

    def __init__(
        self, application: Application, *, failed: Callable[[Exception], None], **around: Any
    ) -> None:
        super().__init__(application, **around)
        self._failed = failed

    async def submit(
        self,
        domain: str,
        command_id: str,
        command: Any,
        *,
        check: int,
        traceparent: str,
        in_progress: bool = True,
    ) -> CommandOutcome:
        """As `ServiceJournals.submit`."""
        try:
            return await super().submit(
                domain,
                command_id,
                command,
                check=check,
                traceparent=traceparent,
                in_progress=in_progress,
            )
        except OverloadedError as refused:
            if in_progress and self._has_room(domain):
                told = f"10: work in progress was refused while there was room: {refused}"
                self._failed(ViolationError(told))
            raise

    def _has_room(self, domain: str) -> bool:
        replica = self._partition(domain).replica
        room = len(replica.decider.inputs) < replica.limits.inputs_waiting_max
        return room and not replica.relay_behind
