"""Who can do what, and who waits for whom, as routing's events tell it: why somebody else was served first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from huntgroup_onebox.explain_words import groups_text
from huntgroup_routing.app.queries import time_text
from huntgroup_routing.core import messages as routing
from huntgroup_routing.core.concurrency import Concurrency
from huntgroup_routing.core.expressions import Who, meets, parse
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    DecisionRule,
    Place,
    place_of,
)

NO_GROUPS: Final = frozenset[str]()


@dataclass(slots=True)
class Agent:
    """Somebody who is signed on, or was."""

    agent_id: AgentId
    skills: frozenset[str]
    who: Who
    slots: dict[Channel, int]
    concurrency: Concurrency | None = None
    ready: bool = False
    held: dict[str, Channel] = field(default_factory=dict)
    """By offer, the channel of the slot it takes."""

    def why_busy(self, channel: Channel) -> str | None:
        """Return why nothing more of a channel fits: nothing to say when all slots are taken; None: it does."""
        taken = Counter(self.held.values())
        if taken[channel] >= self.slots.get(channel, 0):
            return ""
        return None if self.concurrency is None else self.concurrency.why_full(taken, channel)

    def let_go(self, contact_id: ContactId) -> bool:
        """Return whether an offer of the contact, which waits again, has not let the agent go yet."""
        return any(offer_id.startswith(f"{contact_id}.") for offer_id in self.held)


@dataclass(frozen=True, slots=True)
class Awaited:
    """The agents that a contact waits for."""

    agents: Sequence[AgentId]
    until_ms: int
    """0: for as long as they are there."""
    direct: bool
    """It is for that one alone; else it prefers them."""


@dataclass(slots=True)
class Contact:
    """Somebody who waits."""

    place: Place
    channel: Channel
    skills: frozenset[str]
    requirement: str
    own_requirement: str
    """Asked by the contact itself, in every queue."""
    groups: tuple[str, ...]
    """Who is asked; none: whoever can."""
    since: tuple[int, int]
    """When it was queued, and what a point of its priority is worth (ms)."""
    named: frozenset[str]
    """All groups that its queue asks sooner or later, or only while it needs them."""
    awaited: Awaited | None
    """Whom alone it may ring at for now; None: whoever can serve it."""
    awaits_turn: bool
    """It is a callback that nobody is asked for before its turn is near."""

    def met_by(self, agent: Agent) -> bool:
        """Return whether an agent has the skills, is of a group that is asked, and meets the requirement."""
        if not agent.skills >= self.skills or not self._asks(agent.who.groups):
            return False
        asked = filter(None, (self.requirement, self.own_requirement))
        return all(meets(agent.who, agent.agent_id, parse(one, accepted=True)) for one in asked)

    def _asks(self, groups: frozenset[str]) -> bool:
        """Return whether an agent of such groups is asked; no group stands for those of none that the queue names."""
        if not self.groups or not groups.isdisjoint(self.groups):
            return True
        return "" in self.groups and groups.isdisjoint(self.named)

    def note(self, event: routing.Event) -> None:
        """Stand by another priority, or wait for other agents than so far, where an event says so."""
        match event:
            case routing.ContactReprioritized():
                since_ms, point_ms = self.since
                self.place = place_of(event.priority, since_ms, event.contact_id, point_ms)
            case routing.ContactRequeued():
                self.awaited = awaited_of(event)
            case routing.PreferenceLapsed():
                self.awaited = None
            case _:
                pass


def awaited_of(
    event: routing.ContactEnqueued | routing.ContactMoved | routing.ContactRequeued,
) -> Awaited | None:
    """Return whom a contact waits for from now on; one that is moved is for nobody alone any more."""
    if not event.awaited_agents:
        return None
    direct = not isinstance(event, routing.ContactMoved) and event.direct
    return Awaited(event.awaited_agents, event.awaited_until_ms, direct)


def groups_named(event: routing.QueueConfigured) -> frozenset[str]:
    """Return the groups that serve a queue at any time."""
    blended = frozenset(one.group for one in event.blend)
    return blended.union(one.group for one in event.groups)


def why_passed_over(
    mine: Contact,
    other: Contact,
    offer: routing.OfferCreated,
    agent: Agent | None,
    *,
    let_go: bool,
) -> str:
    """Return why another contact, which stands behind, was offered first; `let_go`: the agent had mine a moment ago."""
    agent_id, said = offer.agent_id, offer.explanation
    if agent is None:
        return f"what {agent_id} can do is not in what is left of the journal"
    if why := _why_unable(mine, agent):
        return why
    if let_go:
        return f"{agent_id} let it go a moment ago"
    if mine.awaits_turn:
        return "nobody is asked for it before its turn is near"
    if mine.awaited is not None and agent_id not in mine.awaited.agents:
        return f"it {_awaits(mine.awaited)}"
    if other.awaited is not None and agent_id in other.awaited.agents:
        return f"that one {_awaits(other.awaited)}"
    if said is not None and said.rule is DecisionRule.FIRST_BY_RANK:
        return f"{agent_id} serves {offer.queue_id} with rank {said.rank}, or it was that queue's share"
    return f"no reason is known; {agent_id} could have served it"


def _why_unable(mine: Contact, agent: Agent) -> str:
    missing = sorted(mine.skills - agent.skills)
    if missing:
        return f"{agent.agent_id} lacks {', '.join(missing)}"
    if mine.met_by(agent):
        return ""
    asked = [*filter(None, (mine.requirement, mine.own_requirement))]
    if mine.groups:
        asked.append(groups_text(mine.groups))
    return f"{agent.agent_id} does not meet {' and '.join(asked)}"


def _awaits(awaited: Awaited) -> str:
    agents = " or ".join(awaited.agents)
    if awaited.direct:
        return f"was for {agents} alone"
    return f"waited for {agents} at first, until {time_text(awaited.until_ms)}"
