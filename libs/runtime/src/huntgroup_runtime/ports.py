"""What the runtime's parts need of each other, so that each can be tested with a small stand-in."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from huntgroup_eventlog.application import AcceptedEvent, CommandOutcome

T = TypeVar("T")


class Journals(Protocol):
    """All partitions of one service's journal in this process: some owned here, the others followed."""

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
        """Decide `command`, and return what became of it once its record was read back and accepted.

        `check` is a checksum of the request (32 bits). What is not `in_progress` is new work, which may use half of
        each bound. Raises `NotOwnerError`, `OutcomeUnknownError`, `OverloadedError`, `CommandReusedError` or
        `PartitionHaltedError` (huntgroup_eventlog.application).
        """
        ...

    async def query(self, domain: str, read: Callable[[Any], T]) -> T:
        """Return `read(state)` of the domain as accepted, after every command answered before; raises `NotOwnerError`.

        `read` must not change the state nor keep a reference to it.
        """
        ...

    def owner_address(self, domain: str) -> str:
        """Return the owner's address; empty when none is known; `NotOwnerError` has the same."""
        ...

    def owns(self, domain: str) -> bool:
        """Return whether this replica owns the domain's partition and serves."""
        ...

    def remembers(self, domain: str, command_id: str) -> bool:
        """Return whether the command was carried out before, as far as this replica knows; cheap."""
        ...

    def caught_up(self) -> bool:
        """Return whether every partition is owned here or followed to its end, and none is halted."""
        ...

    def subscribe(self, listener: "Listener") -> None:
        """Register a listener before the start; it is called on the event loop and must not block."""
        ...


class Listener(Protocol):
    """Sees what a service accepted, while it is owned here; for streams, effects and projections."""

    def owned(self, partition: int, states: dict[str, Any]) -> None:
        """Called when this replica became the owner, with the state of each domain (read only)."""
        ...

    def accepted(self, partition: int, events: list[AcceptedEvent]) -> None:
        """Called with the events of each accepted record, in order."""
        ...

    def lost(self, partition: int) -> None:
        """Called when this replica stopped being the owner."""
        ...
