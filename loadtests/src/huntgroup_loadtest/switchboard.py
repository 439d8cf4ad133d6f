"""The telephone line between a simulated caller and a simulated agent: what the media would carry."""

import asyncio
from dataclasses import dataclass, field

from huntgroup_loadtest.behaviour import CallerPlan


@dataclass(slots=True)
class Call:
    """One caller on the line."""

    contact_id: str
    plan: CallerPlan
    answered: "asyncio.Future[str]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Becomes the agent's id once an agent has taken the call."""
    gone: bool = False


class Switchboard:
    """All calls that are on the line."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def connect(self, call: Call) -> None:
        """A caller is on the line."""
        self._calls[call.contact_id] = call

    def clear(self, contact_id: str) -> None:
        """The line is free again."""
        self._calls.pop(contact_id, None)

    def find(self, contact_id: str) -> Call | None:
        """Return the call, or None when nobody is on the line any more."""
        return self._calls.get(contact_id)
