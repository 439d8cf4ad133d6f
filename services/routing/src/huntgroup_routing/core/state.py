"""What routing knows of one domain."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from huntgroup_routing.core.agents import Agent
from huntgroup_routing.core.conditions import NO_ANSWERS, Condition, Figures, Watch, Watching
from huntgroup_routing.core.eligibility import Pool
from huntgroup_routing.core.events import QueueConfigured
from huntgroup_routing.core.lanes import Lanes
from huntgroup_routing.core.lines import LaneKey, Line
from huntgroup_routing.core.requirements import Requirement
from huntgroup_routing.core.scorers import Scorer
from huntgroup_routing.core.selection import MEASURE_OF, Measure
from huntgroup_routing.core.sharing import Team, TeamShares
from huntgroup_routing.core.steps import Asking, Plan
from huntgroup_routing.core.values import (
    NOTHING,
    AgentId,
    Channel,
    ContactId,
    Explanation,
    HoursDue,
    Lease,
    OfferId,
    OfferState,
    Own,
    Place,
    QueueId,
    StepDue,
    Strategy,
)
from huntgroup_routing.core.versions import Versions

NOBODY: Final = AgentId("")


@dataclass(slots=True, kw_only=True, eq=False)
class Queue:
    """A queue as configured, and who waits in it."""

    queue_id: QueueId
    rules: QueueConfigured
    plan: Plan
    requirement: Requirement
    channel: Channel | None = field(init=False)
    """It takes contacts of this one alone; None: of any."""
    ring_timeout_ms: int = field(init=False)
    wrap_up_timeout_ms: int = field(init=False)
    service_level_threshold_ms: int = field(init=False)
    waiting_max: int = field(init=False)
    strategy: Strategy = field(init=False)
    reoffer_after_ms: int = field(init=False)
    priority_point_ms: int = field(init=False)
    resume_window_ms: int = field(init=False)
    ring_max: int = field(init=False)
    """At so many agents its contacts ring; 0: each at one."""
    version: int = 1
    plan_version: int = 1
    """The version that the plan came with."""
    followed_from: int = 1
    """Whoever waits follows the plan of this version or of a later one, or is about to."""
    retired: bool = False
    """No longer in the policy; kept for those who wait, and for those on their way."""
    waiting: Lanes = field(default_factory=Lanes)
    ringing: int = 0
    awaiting_turn: Line[Place] = field(default_factory=Line)
    """Those who wait for their turn, and for no agent."""
    offers: int = 0
    """Made so far: the chance of the next one."""
    last_agent_id: AgentId = NOBODY
    """Who was given its last contact: where the next round goes on."""
    closed_note: str | None = None
    """Why it is closed by command; None: it is not."""
    closed_by_hours: bool = False
    hours_change_at_ms: int = 0
    """When its hours open or close it next; 0: it has none."""
    answers: int = NO_ANSWERS
    """Who of the last was answered in time, as `Figures` has it."""
    estimated_wait_ms: int = 0
    """Of one who came, as of its last event; only kept while conditions compare it."""
    ages: Line[StepDue] | None = None
    """Since when those wait who do, where a rule asks for the longest wait."""
    watches: dict[Condition, Watch] = field(default_factory=dict)
    """By condition, the contacts that go on when it holds."""
    lent: dict[str, tuple[bool, int]] = field(default_factory=dict)
    """Of groups that came by a rule: whether they are here, and since when (ms) they are here, or away again."""
    lend_due: tuple[int, str] | None = None
    """When the next group comes or goes if nothing else happens (ms), and which."""

    def __post_init__(self) -> None:
        """Have the rules at hand."""
        self.follow(self.rules)

    @property
    def is_closed(self) -> bool:
        """Whether it takes nobody who comes."""
        return self.closed_by_hours or self.closed_note is not None

    def takes(self, channel: Channel) -> bool:
        """Return whether contacts of a channel may come here."""
        return self.channel is None or self.channel is channel

    @property
    def figures(self) -> Figures:
        """What conditions compare."""
        return Figures(len(self.waiting), self.estimated_wait_ms, self.answers)

    @property
    def opens_at_ms(self) -> int:
        """When it opens that is closed by its hours; 0: it is not, or that is not known."""
        return self.hours_change_at_ms if self.closed_by_hours else 0

    @property
    def blended(self) -> frozenset[str]:
        """The groups that serve it because it needs them."""
        return frozenset(group for group, (is_here, _) in self.lent.items() if is_here)

    @property
    def is_followed_in_part(self) -> bool:
        """Whether some of those who wait may have an older plan and keep it."""
        return self.followed_from < self.plan_version

    def follow(self, rules: QueueConfigured) -> None:
        """Have other rules from now on."""
        self.rules = rules
        self.channel = rules.only_channel
        self.ring_timeout_ms = rules.ring_timeout_ms
        self.wrap_up_timeout_ms = rules.wrap_up_timeout_ms
        self.service_level_threshold_ms = rules.service_level_threshold_ms
        self.waiting_max = rules.waiting_max
        self.strategy = rules.strategy or Strategy.LONGEST_IDLE
        self.reoffer_after_ms = rules.reoffer_after_ms
        self.priority_point_ms = rules.priority_point_ms
        self.resume_window_ms = rules.resume_window_ms
        self.ring_max = rules.ring_max

    @property
    def measure(self) -> Measure | None:
        """By what its agents are sorted; None: as they became idle."""
        return MEASURE_OF.get(self.strategy)

    @property
    def ring_target(self) -> int:
        """At how many agents a contact begins to ring; 0: at one, without others."""
        if not self.ring_max:
            return 0
        return self.ring_max if self.strategy is Strategy.RING_ALL else 1

    def widens_at_ms(self, target: int, at_ms: int) -> int:
        """Return when a contact that may ring at so many agents from now on may ring at more; 0: not by itself."""
        grows = self.strategy is Strategy.RING_PROGRESSIVELY and target < self.ring_max
        return at_ms + self.rules.ring_every_ms if grows else 0


@dataclass(slots=True, kw_only=True, eq=False)
class Ring:
    """The agents at whom a contact rings together, since it last waited."""

    offers: dict[OfferId, AgentId]
    """Those open, oldest first."""
    asked: set[AgentId]
    """Nobody is asked twice."""
    target: int
    """At so many it may ring."""
    widens_at_ms: int = 0
    """When it may ring at more; 0: not by itself."""
    roomy: bool = False
    """Whether it stands among those that could ring at one more."""


class Awaited(msgspec.Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    """The agents whom a contact waits for, and nobody else, until then (0: without end)."""

    agents: tuple[AgentId, ...]
    until_ms: int
    direct: bool
    """For the one of them alone, whether able and signed on or not."""

    @property
    def turn(self) -> bool:
        """Whether it waits for no agent at all: its customer is dialled when its turn comes near."""
        return not self.agents


TURN: Final = Awaited(agents=(), until_ms=0, direct=True)
"""What a callback waits for whose customer is to answer first."""


class Contact(msgspec.Struct, kw_only=True, eq=False, gc=False):
    """A contact that waits, or rings when it has an offer; nothing that it refers to refers to it."""

    contact_id: ContactId
    queue_id: QueueId
    place: Place
    priority: int
    priority_point_ms: int
    """What a point of it is worth; 0: strict."""
    enqueued_at_ms: int
    entered_at_ms: int
    """Since when it stands in this queue."""
    requirement: Requirement
    plan: Plan
    plan_version: int = 1
    """Of the queue, when it had this plan."""
    own: Own = NOTHING
    step: int = 0
    delays_over: int = 0
    """Of its queue's groups."""
    attempts: int = 0
    offer_id: OfferId | None = None
    let_go_by: tuple[tuple[AgentId, int], ...] = ()
    """Who of late let it go, and when (ms), oldest first."""
    awaited: Awaited | None = None
    """Until it rang at one of them, or they are not to be had."""
    customer_key: str = ""
    preferred: tuple[AgentId, ...] | None = ()
    """Whom it is for if they can be had; None: it rang at one of those in vain, and is for anybody."""
    stay: int = 0
    """How many stays in queues it had before this one."""
    returns: bool = False
    """A callback that came back: rules about who comes, or has waited, do not send it out of routing."""
    counted_from_ms: int = 0
    """Since when its customer waits as key figures count it, if not since it was queued; 0: since then."""
    leaves_at_ms: int | None = None
    """When it has waited as long as the queue lets it."""
    ring: Ring | None = None
    """While it rings where several may ring; `offer_id` is one of them then."""
    watches: tuple[tuple[Watch, StepDue], ...] = ()
    """The conditions that bring it to a step, and from when on they do."""

    @property
    def lane(self) -> LaneKey:
        """Where it stands in its queue."""
        return (self.priority, self.own)

    @property
    def waits_from_ms(self) -> int:
        """Since when its customer waits: a callback was not on the line while it stood in none."""
        return self.entered_at_ms if self.returns else self.enqueued_at_ms

    def counts_ms(self, at_ms: int) -> int:
        """Return its customer's wait as key figures count it: without what passed while nobody was on the line."""
        return at_ms - (self.counted_from_ms or self.enqueued_at_ms)

    @property
    def step_due(self) -> StepDue | None:
        """When it comes to its next step; None when there is none."""
        if not (self.plan.steps or self.plan.crews):
            return None
        at_ms = self.plan.due_at_ms(self.step, self.delays_over, self.enqueued_at_ms)
        return None if at_ms is None else (at_ms, self.contact_id)

    @property
    def stands_in_line(self) -> bool:
        """Whether anybody who is able may have it: it waits, and not for certain agents."""
        return self.offer_id is None and self.awaited is None

    @property
    def open_offers(self) -> tuple[OfferId, ...]:
        """The offers it rings with, oldest first."""
        if self.offer_id is None:
            return ()
        return (self.offer_id,) if self.ring is None else tuple(self.ring.offers)


class Lost(msgspec.Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    """Since when a customer waited who then left, and in which contact."""

    contact_id: ContactId
    enqueued_at_ms: int
    left_at_ms: int


def asking_of(contact: Contact, at_ms: int) -> Asking:
    """Return a contact as far as its steps go by it."""
    waited_ms = at_ms - contact.enqueued_at_ms
    return Asking(contact.requirement.channel, contact.own, waited_ms)


class Offer(msgspec.Struct, array_like=True, kw_only=True, eq=False, gc=False):
    """An offer, pending or ended lately; written as it is, so the order of the fields is part of the format."""

    offer_id: OfferId
    contact_id: ContactId
    agent_id: AgentId
    queue_id: QueueId
    channel: Channel
    state: OfferState
    created_at_ms: int
    expires_at_ms: int
    idle_agents: int
    why: Explanation | None


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """One domain. Owned by whoever folds it; everybody else only reads."""

    domain: str
    queues: dict[QueueId, Queue] = field(default_factory=dict)
    contacts: dict[ContactId, Contact] = field(default_factory=dict)
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    offers: dict[OfferId, Offer] = field(default_factory=dict)
    """Those pending."""
    leases: Line[Lease] = field(default_factory=Line)
    steps_due: Line[StepDue] = field(default_factory=Line)
    scorers: Mapping[str, Scorer] = field(default_factory=dict)
    """Those installed: they come with the program and are no part of what is written."""
    explains: bool = True
    """Whether offers say why: a core that nobody asks is spared the words. No part of what is written, or decided."""
    awaiting: dict[AgentId, Line[Place]] = field(default_factory=dict)
    """By agent, the contacts that wait for them."""
    lapses_due: Line[StepDue] = field(default_factory=Line)
    """When contacts that wait for certain agents may go to others."""
    last_agents: OrderedDict[str, AgentId] = field(default_factory=OrderedDict)
    """Who served a customer last, the latest last."""
    rings_due: Line[StepDue] = field(default_factory=Line)
    """When contacts that ring may ring at more agents."""
    outdated: Line[Place] = field(default_factory=Line)
    """Those who wait and are about to follow the present plan of their queue."""
    versions: Versions = field(default_factory=Versions)
    retired: OrderedDict[QueueId, None] = field(default_factory=OrderedDict)
    """Queues that are no longer in the policy, in the order in which they left it."""
    reprioritizing: OrderedDict[ContactId, tuple[int, int]] = field(default_factory=OrderedDict)
    """Those about to stand by another priority, in turn: by which, and since when (ms)."""
    hours_due: Line[HoursDue] = field(default_factory=Line)
    """When queues open or close by their hours."""
    lending: set[QueueId] = field(default_factory=set)
    """Queues to which groups come by rules."""
    lends_due: Line[HoursDue] = field(default_factory=Line)
    """When groups come to queues and go."""
    waits_due: Line[StepDue] = field(default_factory=Line)
    """When those who wait, and do not ring, have waited as long as their queue lets them."""
    ended_offers: OrderedDict[OfferId, Offer] = field(default_factory=OrderedDict)
    """The last that ended, oldest first."""
    ended_contacts: OrderedDict[ContactId, int] = field(default_factory=OrderedDict)
    """The last that left, oldest first, and in which stay: told of that once more, they do not come back."""
    awaiting_turn: int = 0
    """How many contacts wait for their turn in all queues."""
    turns: dict[QueueId, ContactId] = field(default_factory=dict)
    """By queue, whose turn has come near, the first of those who wait for it."""
    lost: OrderedDict[tuple[QueueId, str], Lost] = field(default_factory=OrderedDict)
    """By queue and customer key, who left while waiting and may have the place again, the last to leave last."""
    pool: Pool = field(default_factory=Pool)
    shares: dict[Team, TeamShares] = field(default_factory=dict)
    """How far the queues of one rank have come, with each team that is here."""
    watching: Watching = field(default_factory=Watching)
    weighted: set[QueueId] = field(default_factory=set)
    """Queues that name a weight; without any, nothing is shared out."""

    def weigh(self, queue_id: QueueId, plan: Plan | None) -> None:
        """Note whether a queue names a weight (None: it is no more); shares end with the last one that does."""
        if plan is not None and plan.crews and plan.crews[-1][1].has_weight:
            self.weighted.add(queue_id)
            return
        self.weighted.discard(queue_id)
        if not self.weighted:
            self.shares.clear()

    def reckon_hours(self, queue: Queue, change_at_ms: int) -> None:
        """Let a queue open or close by its hours at a time; 0: never."""
        if queue.hours_change_at_ms:
            self.hours_due.remove((queue.hours_change_at_ms, queue.queue_id))
        queue.hours_change_at_ms = change_at_ms
        if change_at_ms:
            self.hours_due.add((change_at_ms, queue.queue_id))

    def reckon_lends(self, queue: Queue, due: tuple[int, str] | None) -> None:
        """Let a group come to a queue or go at a time; None: nothing is due."""
        if queue.lend_due == due:
            return
        if queue.lend_due is not None:
            self.lends_due.remove((queue.lend_due[0], queue.queue_id))
        queue.lend_due = due
        if due is not None:
            self.lends_due.add((due[0], queue.queue_id))

    def find_offer(self, offer_id: OfferId) -> Offer | None:
        """Return an offer that is pending, or among the last to end."""
        return self.offers.get(offer_id) or self.ended_offers.get(offer_id)

    def policy(self) -> dict[QueueId, QueueConfigured]:
        """Return the present rules of every queue in the policy."""
        return {key: queue.rules for key, queue in self.queues.items() if not queue.retired}


def initial(domain: str) -> State:
    """Return the state of a domain in which nothing has happened."""
    return State(domain=domain)
