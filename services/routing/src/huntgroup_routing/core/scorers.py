"""What a scorer is: a plug-in that gives points to the idle agents a contact may go to.

It is a pure function: the same question gets the same points, it changes nothing, and it comes to an end. Only
decisions ask it, and their events hold what came of it, so a replay needs no scorer.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from huntgroup_routing.core.values import AgentId, Channel, ContactId, QueueId, Skill

POINTS_MIN, POINTS_MAX = -(2**63), 2**63 - 1
ERROR_MAX = 200


class ScoredContact(Struct, frozen=True, kw_only=True):
    """The contact that is to be offered."""

    contact_id: ContactId
    queue_id: QueueId
    channel: Channel
    priority: int
    waited_ms: int
    customer_key: str
    required_skills: tuple[Skill, ...]
    """Those named one by one, and those its requirement names."""


class ScoredAgent(Struct, frozen=True, kw_only=True):
    """An idle agent who may serve it; figures are of the contact's channel since sign-on."""

    agent_id: AgentId
    idle_ms: int
    """Of this idleness."""
    contacts: int
    handle_ms: int
    occupancy_ppm: int
    levels: Mapping[Skill, int]
    languages: tuple[str, ...]
    groups: tuple[str, ...]
    attributes: Mapping[str, str]


class Scorer(Protocol):
    """A plug-in."""

    @property
    def version(self) -> str:
        """What tells its points from those of other days; explanations name it."""
        ...

    def score(self, contact: ScoredContact, agents: Sequence[ScoredAgent]) -> Sequence[int]:
        """Return whole numbers, one for each agent: who has the most gets the contact, of equals the longest idle."""
        ...


def points(
    scorer: Scorer | None, contact: ScoredContact, agents: Sequence[ScoredAgent]
) -> tuple[list[int], str] | str:
    """Return what a scorer gives and its version, or what is wrong with it: it stops nobody, whatever it does."""
    if scorer is None:
        return "it is not installed here"
    try:
        return _measured(scorer.score(contact, tuple(agents)), len(agents), scorer.version)
    except Exception as error:  # noqa: BLE001 - a plug-in may fail in any way
        return _told(error)


def _measured(given: object, count: int, version: object) -> tuple[list[int], str] | str:
    if not isinstance(given, list | tuple):
        return f"it returned {type(given).__name__}, not a list"
    numbers = list(given)
    if len(numbers) != count:
        return f"it returned {len(numbers)} numbers for {count} agents"
    for each in numbers:
        if type(each) is not int or not POINTS_MIN <= each <= POINTS_MAX:
            return f"it gave {each!r}, which is no whole number of 64 bits"[:ERROR_MAX]
    if not isinstance(version, str):
        return f"its version is {type(version).__name__}, not a text"
    return numbers, version


def _told(error: Exception) -> str:
    """Return what an error says, if it can say anything."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"[:ERROR_MAX]
    except Exception:  # noqa: BLE001 - a plug-in's own error may fail as well
        return name[:ERROR_MAX]
