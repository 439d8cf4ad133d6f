"""Agents, and what they have done since they signed on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from huntgroup_routing.core.concurrency import Concurrency
from huntgroup_routing.core.sharing import Team
from huntgroup_routing.core.values import AgentId, AgentTraits, Channel, OfferId, Skill

if TYPE_CHECKING:
    from huntgroup_routing.core.requirements import Profile

MILLION = 1_000_000
NOTHING: Final[Mapping[Channel, int]] = MappingProxyType({})

Parked = tuple[int, int, int]
"""Rank in the order of becoming idle, since when (ms), and how long the agent had been idle before that (ms)."""


@dataclass(slots=True, kw_only=True)
class Work:
    """What an agent has done on one channel since sign-on."""

    contacts: int = 0
    """Accepted."""
    handle_ms: int = 0
    """From acceptance to the end of wrap-up, of the contacts that are over."""
    idle_ms: int = 0
    """Available with a free slot, up to when the present idleness began."""

    def occupancy_ppm(self, more_idle_ms: int = 0) -> int:
        """Return the share of handling in handling and idle time, in millionths, rounded down."""
        total_ms = self.handle_ms + self.idle_ms + more_idle_ms
        return self.handle_ms * MILLION // total_ms if total_ms else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Agent:
    """An agent who is joined, or who left with slots still taken."""

    agent_id: AgentId
    joined: bool = False
    eligible: bool = False
    in_doubt: bool = False
    """An offer came to nothing in a way that agent-state has more to say about: no offers until it has."""
    skills: tuple[Skill, ...] = ()
    traits: AgentTraits | None = None
    levels: Mapping[Skill, int] = field(default_factory=dict)
    """While joined, of every skill; shared with others."""
    profile: "Profile | None" = None
    """While joined, what they share with others of the same skills and traits."""
    slots: Mapping[Channel, int] = field(default_factory=dict)
    """While joined, shared with others."""
    concurrency: Concurrency | None = None
    """What their channels share; None: each is for itself."""
    held: dict[OfferId, Channel] = field(default_factory=dict)
    """The offers that took a slot, oldest first."""
    taken: dict[Channel, int] = field(default_factory=dict, init=False)
    """How many of a channel are held."""
    idle: dict[Channel, tuple[int, int]] = field(default_factory=dict)
    """Per channel with a free slot, while available: rank in the order of becoming idle, and since when (ms)."""
    accepted: dict[OfferId, int] = field(default_factory=dict)
    """Of the offers held, those accepted, and since when they count as handled (ms)."""
    parked: dict[OfferId, Parked] = field(default_factory=dict)
    """Of offers that ring at others, too: the idleness that goes on when another agent takes the contact."""
    work: dict[Channel, Work] = field(default_factory=dict)
    """Of every channel with slots, since sign-on."""

    def __post_init__(self) -> None:
        for channel in self.held.values():
            self.taken[channel] = self.taken.get(channel, 0) + 1

    @property
    def team(self) -> Team:
        """The groups they are in, sorted."""
        return () if self.traits is None else tuple(sorted(set(self.traits.groups)))

    @property
    def available(self) -> bool:
        """Whether a free slot would make the agent idle."""
        return self.joined and self.eligible and not self.in_doubt

    def free(
        self,
        channel: Channel,
        after: OfferId | None = None,
        given: Mapping[Channel, int] = NOTHING,
    ) -> int:
        """Return how many more of a channel fit, once `after` holds no slot and those `given` now do; never below 0."""
        freed = None if after is None else self.held.get(after)
        if self.concurrency is None:
            if not given:
                left = self.slots.get(channel, 0) - self.taken.get(channel, 0) + (freed is channel)
                return max(0, left)
            taken = self.taken.get(channel, 0) + given.get(channel, 0) - (freed is channel)
            return max(0, self.slots.get(channel, 0) - taken)
        if freed is None and not given:
            return self.concurrency.fits(self.slots, self.taken, channel)
        held = dict(self.taken)
        for one, count in given.items():
            held[one] = held.get(one, 0) + count
        if freed is not None:
            held[freed] -= 1
        return self.concurrency.fits(self.slots, held, channel)

    def why_full(self, channel: Channel) -> str:
        """Return why none more of a channel fits."""
        told = None
        if self.concurrency is not None and self.taken.get(channel, 0) < self.slots.get(channel, 0):
            told = self.concurrency.why_full(self.taken, channel)
        return told or f"has no free slot for {channel}"

    def sign_on(
        self,
        skills: tuple[Skill, ...],
        traits: AgentTraits | None,
        slots: Mapping[Channel, int],
        concurrency: Concurrency | None,
        at_ms: int,
    ) -> None:
        """Begin a day's work: nothing is done yet, and what is still handled counts from now."""
        self.joined = True
        self.eligible = self.in_doubt = False
        self.skills = skills
        self.traits = traits
        self.slots = slots
        self.concurrency = concurrency
        self.work = {channel: Work() for channel in slots}
        self.accepted = dict.fromkeys(self.accepted, at_ms)

    def sign_off(self) -> None:
        """End it; slots that are taken stay so."""
        self.joined = self.eligible = self.in_doubt = False
        self.skills = ()
        self.traits = None
        self.slots = {}
        self.concurrency = None
        self.work = {}

    def take(self, offer_id: OfferId, channel: Channel) -> None:
        """Let an offer hold a slot."""
        self.held[offer_id] = channel
        self.taken[channel] = self.taken.get(channel, 0) + 1

    def drop(self, offer_id: OfferId) -> Channel | None:
        """Let an offer hold none, and return its channel; None when it held none."""
        channel = self.held.pop(offer_id, None)
        if channel is not None:
            self.taken[channel] -= 1
        return channel

    def accept(self, offer_id: OfferId, at_ms: int) -> None:
        """Count a contact, and note since when it is handled."""
        self.accepted[offer_id] = at_ms
        work = self.work.get(self.held[offer_id])
        if work is not None:
            work.contacts += 1

    def forget_parked(self, channel: Channel) -> None:
        """Whoever takes a contact of a channel will be idle anew."""
        if self.parked:
            for offer_id in [key for key in self.parked if self.held[key] is channel]:
                del self.parked[offer_id]

    def let_go(self, offer_id: OfferId, at_ms: int) -> Channel | None:
        """Free the slot of an offer, count how long it was handled, and return its channel; None when none was held."""
        channel = self.drop(offer_id)
        self.parked.pop(offer_id, None)
        since_ms = self.accepted.pop(offer_id, None)
        if channel is not None and since_ms is not None and channel in self.work:
            self.work[channel].handle_ms += at_ms - since_ms
        return channel
