"""What the application needs of the outside: an agent's desktop."""

from enum import StrEnum
from typing import Protocol

from huntgroup_agent_state.core.messages import Event


class CloseReason(StrEnum):
    """Why the service ends a desktop's stream."""

    REPLACED = "REPLACED"
    """The agent opened another desktop."""
    DESKTOP_SILENT = "DESKTOP_SILENT"
    """No heartbeat was answered within the lease."""
    SLOW_READER = "SLOW_READER"
    """The desktop read too slowly for what happened; it opens a new stream and begins with a snapshot."""
    OWNER_MOVED = "OWNER_MOVED"
    """Another replica serves the domain now; open a new stream."""
    UNEXPECTED_MESSAGE = "UNEXPECTED_MESSAGE"
    """The desktop sent something that is no answer to a heartbeat."""


class Desktop(Protocol):
    """One open stream of an agent's desktop. No call blocks, and none fails."""

    def notice(self, event: Event) -> None:
        """Take in an accepted event about the agent."""
        ...

    def ask(self, nonce: int, answer_within_ms: int) -> None:
        """Ask for a sign of life: the same nonce."""
        ...

    def close(self, reason: CloseReason) -> None:
        """End the stream, telling the reason."""
        ...
