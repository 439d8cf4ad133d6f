"""Contacts, queues and agents as the slow router knows them, and whom a requirement admits, in plain Python."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from huntgroup_routing.core.messages import ConfigureQueue, ObserveAgentSignedOn
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import AgentTraits, Channel, RoutingStep, ServingGroup, Strategy

Holds = Callable[["SlowContact", RoutingStep], bool]
DAY_MS = 86_400_000


@dataclass(eq=False)
class SlowContact:
    contact_id: str
    queue_id: str
    channel: Channel
    skills: frozenset[str]
    enqueued_at_ms: int
    priority: int
    place: tuple[int, int, str] = (0, 0, "")
    point_ms: int = 0
    attempts: int = 0
    ringing: bool = False
    let_go_by: list[tuple[str, int]] = field(default_factory=list)
    lately: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    awaited: tuple[str, ...] = ()
    awaited_until_ms: int = 0
    direct: bool = False
    customer: str = ""
    preferred: tuple[str, ...] | None = ()
    """None: it rang at one of them in vain."""
    target: int = 0
    widens_at_ms: int = 0
    requirement: str = ""
    own_requirement: str = ""
    own_skills: frozenset[str] = frozenset()
    steps: tuple[RoutingStep, ...] = ()
    skip: bool = False
    step: int = 0
    plan: int = 0
    """Which of the plans that its queue has had it follows."""
    said: tuple[object, ...] = ()
    """What that plan asks at first and at its steps."""
    groups: tuple[ServingGroup, ...] = ()
    asked_of: tuple[ServingGroup, ...] = ()
    overflow: tuple[OverflowRule, ...] = ()
    entered_at_ms: int = 0
    kept_until_ms: int | None = None
    """When it is tried again to send it on, where no queue took it."""
    returns: bool = False
    on_the_line_from_ms: int = 0
    """Since when its customer waits in a row, in whatever queue."""

    @property
    def waits_from_ms(self) -> int:
        return self.entered_at_ms if self.returns else self.enqueued_at_ms

    @property
    def leaves_at_ms(self) -> int | None:
        if self.kept_until_ms is not None:
            return self.kept_until_ms
        limits = [
            one.limit
            for one in self.overflow
            if one.trigger is OverflowTrigger.WAITED
            and not (self.returns and one.action is not OverflowAction.QUEUE)
        ]
        return self.entered_at_ms + limits[0] if limits else None

    @property
    def sometime_asked(self) -> tuple[ServingGroup, ...]:
        """The groups that are asked once their delays are over."""
        return tuple(one for one in self.groups if one.delay_ms <= DAY_MS)

    def follow(self, queue: "SlowQueue", *, again: bool = False) -> None:
        """Follow the present plan of the queue: from its beginning, or again where its steps are what they were."""
        said = (queue.skills, queue.requirement, queue.steps, queue.skip)
        stays, self.said, self.kept_until_ms = again and said == self.said, said, None
        self.skills = queue.skills | self.own_skills
        self.requirement, self.steps, self.skip = queue.requirement, queue.steps, queue.skip
        self.step = self.step if stays else 0
        self.plan, self.overflow = queue.plan, queue.overflow
        self.groups = queue.groups
        self.ask()

    def take_place(self, point_ms: int) -> None:
        self.point_ms = point_ms
        strict = 0 if point_ms else -self.priority
        counted_since_ms = self.enqueued_at_ms - self.priority * point_ms
        self.place = (strict, counted_since_ms, self.contact_id)

    def goes_before(self, own: "SlowContact") -> bool:
        """Return whether it goes before one that waits for the agent: by what points are worth, else by priority."""
        if self.point_ms or own.point_ms:
            return self.place < own.place
        return self.priority > own.priority

    def go_on(self, at_ms: int, agents: list["SlowAgent"], holds: "Holds") -> None:
        """Go to the last step whose time has come and whose trigger holds, and ask the groups whose delays are over."""
        waited_ms = at_ms - self.enqueued_at_ms
        for number, step in enumerate(self.steps, 1):
            if number > self.step and step.after_ms <= waited_ms and holds(self, step):
                self.step = number
                self.ask()
        self.asked_of = self.sometime_asked
        while self.skip and self.step < len(self.steps):
            if any(one.joined and self.channel in one.slots and can(one, self) for one in agents):
                break
            self.step += 1
            self.ask()
        self.asked_of = tuple(one for one in self.groups if one.delay_ms <= waited_ms)

    def ahead(self, waited_ms: int) -> list[RoutingStep]:
        """Return the steps ahead whose time has come."""
        return [one for one in self.steps[self.step :] if one.after_ms <= waited_ms]

    def at_each_step(self, queue: "SlowQueue") -> Iterator["SlowContact"]:
        """Yield the contact as it is at each step of a queue."""
        first = replace(self, step=0, requirement=queue.requirement, asked_of=self.sometime_asked)
        first.skills = self.own_skills | queue.skills
        yield first
        for step in range(1, len(self.steps) + 1):
            later = replace(self, step=step, asked_of=self.sometime_asked)
            later.ask()
            yield later

    def ask(self) -> None:
        if self.step:
            step = self.steps[self.step - 1]
            self.skills = self.own_skills | frozenset(step.required_skills)
            self.requirement = step.requirement


@dataclass(eq=False)
class SlowQueue:
    skills: frozenset[str]
    ring_ms: int
    strategy: Strategy
    reoffer_after_ms: int
    requirement: str
    steps: tuple[RoutingStep, ...]
    skip: bool
    ring_max: int
    ring_every_ms: int
    pull_requirement: str
    preferred_hold_ms: int
    prefers_last: bool
    direct_hold_ms: int
    overflow: tuple[OverflowRule, ...]
    point_ms: int
    groups: tuple[ServingGroup, ...]
    resume_ms: int
    command: ConfigureQueue
    dial_ahead: int
    plan: int = 0
    """How many other plans it had before."""
    followed_from: int = 0
    """Whoever waits with a plan before this is about to follow the present one."""
    threshold_ms: int = 0
    answers: list[bool] = field(default_factory=list)
    """Of those who were answered, or gave up late, who was answered in time."""
    offers: int = 0
    last_agent_id: str = ""

    def anybody(self, channel: Channel) -> SlowContact:
        """Return a contact that asks what the queue asks of everybody at first."""
        return SlowContact(
            contact_id="",
            queue_id=str(self.command.queue_id),
            channel=channel,
            skills=self.skills,
            enqueued_at_ms=0,
            priority=0,
            requirement=self.requirement,
            groups=self.groups,
            asked_of=tuple(one for one in self.groups if not one.delay_ms),
        )

    def fits(self, channel: Channel) -> bool:
        return self.command.channel in (None, channel)

    @property
    def rings(self) -> bool:
        return self.strategy in (Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY)

    @property
    def rings_all(self) -> bool:
        return self.strategy is Strategy.RING_ALL


@dataclass(eq=False)
class SlowWork:
    contacts: int = 0
    handle_ms: int = 0
    idle_ms: int = 0


@dataclass(eq=False)
class SlowAgent:
    agent_id: str
    joined: bool = False
    ready: bool = False
    in_doubt: bool = False
    skills: frozenset[str] = frozenset()
    slots: dict[Channel, int] = field(default_factory=dict)
    idle: dict[Channel, tuple[int, int]] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    traits: AgentTraits | None = None
    work: dict[Channel, SlowWork] = field(default_factory=dict)
    units: int = 0
    costs: dict[Channel, int] = field(default_factory=dict)
    interrupts: dict[Channel, frozenset[Channel]] = field(default_factory=dict)

    def shares(self, command: ObserveAgentSignedOn) -> bool:
        """Take over what the channels share; return whether it was so before."""
        before = (self.units, self.costs, self.interrupts)
        self.units = command.capacity_units
        self.costs = {one.channel: one.cost or 1 for one in command.capacity}
        self.interrupts = {one.channel: frozenset(one.interrupts) for one in command.capacity}
        return before == (self.units, self.costs, self.interrupts)

    @property
    def is_sharing(self) -> bool:
        """Whether channels are not each for itself."""
        return bool(self.units or any(self.interrupts.values()))

    def fits(self, held: list[Channel], channel: Channel) -> bool:
        """Return whether one more of a channel fits beside those held."""
        none = frozenset[Channel]()
        interrupted = self.interrupts.get(channel, none)
        counted = [one for one in held if one not in interrupted]
        if held.count(channel) >= self.slots.get(channel, 0):
            return False
        if any(channel in self.interrupts.get(one, none) for one in counted):
            return False
        units = sum(self.costs.get(one, 1) for one in [*counted, channel])
        return not self.units or units <= self.units

    def room(self, held: list[Channel], channel: Channel) -> int:
        """Return how many more of a channel fit."""
        more: list[Channel] = []
        while self.fits([*held, *more], channel):
            more.append(channel)
        return len(more)

    def stop(self, at_ms: int, *channels: Channel) -> None:
        for channel in channels or tuple(self.idle):
            if channel in self.idle:
                self.work[channel].idle_ms += at_ms - self.idle.pop(channel)[1]


@dataclass(eq=False)
class SlowOffer:
    offer_id: str
    contact: SlowContact
    agent: SlowAgent
    expires_at_ms: int
    pending: bool = True
    held: bool = True
    handled_since_ms: int | None = None
    parked: tuple[int, int, int] | None = None


def said(command: ConfigureQueue) -> ConfigureQueue:
    """Return the command with what it leaves to be understood."""
    return replace(command, strategy=command.strategy or Strategy.LONGEST_IDLE)


def can(agent: SlowAgent, contact: SlowContact) -> bool:
    ask, _ = REQUIREMENTS[contact.requirement]
    own, _ = REQUIREMENTS[contact.own_requirement]
    asked = not contact.groups or serving(agent, contact) is not None
    return agent.skills >= contact.skills and ask(agent) and own(agent) and asked


def team(agent: SlowAgent) -> frozenset[str]:
    return frozenset(agent.traits.groups if agent.traits else ())


def serving(agent: SlowAgent, contact: SlowContact) -> ServingGroup | None:
    mine = [one for one in contact.asked_of if one.group in team(agent)]
    if not any(one.group in team(agent) for one in contact.groups):
        mine = [one for one in contact.asked_of if not one.group]
    return min(mine, key=lambda one: one.rank) if mine else None


def terms(agent: SlowAgent, contact: SlowContact) -> tuple[int, int]:
    one = serving(agent, contact)
    return (one.rank, one.weight) if one else (0, 0)


def speaks(agent: SlowAgent, language: str) -> bool:
    return agent.traits is not None and language in agent.traits.languages


def in_group(agent: SlowAgent, group: str) -> bool:
    return agent.traits is not None and group in agent.traits.groups


REQUIREMENTS: dict[str, tuple[Callable[[SlowAgent], bool], set[str]]] = {
    "": (lambda _: True, set()),
    'skill("billing") >= 3': (lambda a: a.levels.get("billing", 0) >= 3, {"billing"}),
    'lang in ("ar", "fa") or agent == "a3"': (
        lambda a: speaks(a, "ar") or speaks(a, "fa") or a.agent_id == "a3",
        set(),
    ),
    'not group == "night" and (skill("french") or lang != "ar")': (
        lambda a: not in_group(a, "night") and ("french" in a.skills or not speaks(a, "ar")),
        {"french"},
    ),
    'agent not in ("a1", "a2") and skill("repair") < 9': (
        lambda a: a.agent_id not in ("a1", "a2") and a.levels.get("repair", 0) < 9,
        {"repair"},
    ),
}
"""What some requirements mean, in plain Python, and the skills that count for them."""
