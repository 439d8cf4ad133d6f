"""What will happen in a story, drawn from its seed before it begins: callers, agents and faults, each with a name.

A story can be played without some of them, which is how a failing one is shrunk.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from huntgroup.routing.v1.events_pb2 import (
    SELECTION_STRATEGY_FEWEST_CONTACTS,
    SELECTION_STRATEGY_RING_ALL,
    SELECTION_STRATEGY_RING_PROGRESSIVELY,
)

SERVICES: Final = ("session", "agent-state", "routing", "recording", "reporting")
ACME: Final = "acme/emea"
GLOBEX: Final = "globex/emea"
"""A second tenant, in the same partition."""
VOICEMAIL_KEY: Final = "1"
OTHER_QUEUE_KEY: Final = "2"
HAND_BACK_KEY: Final = "3"
CHATS: Final = "chats"
"""The queue of who writes; all others are for calls."""
QUEUES: Final = {"sales": (), "german": ("german",), "everyone": (), "one-more": (), CHATS: ()}
"""Queues and what they require; `sales` is recorded."""
COMES_TO: Final = ("sales", "german", "everyone", "one-more", CHATS, CHATS)
LAST_RESORT: Final = "sales"
"""Where calls go that other queues do not take, or let go; chats have one queue only."""
STRATEGIES: Final = {
    "everyone": SELECTION_STRATEGY_RING_ALL,
    "one-more": SELECTION_STRATEGY_RING_PROGRESSIVELY,
    CHATS: SELECTION_STRATEGY_FEWEST_CONTACTS,
}
"""Of the queues that choose otherwise than by who is longest idle."""
CALL_UNITS, CHAT_UNITS = 2, 1
SPARE: Final = "spare"
"""The group of agents who are lent to queues that need them, where a policy says so."""
KEYS: Final = ("", "", VOICEMAIL_KEY, "", OTHER_QUEUE_KEY, HAND_BACK_KEY, "")
"""What callers press, one after the other."""
REGULARS: Final = 60
REGULAR_PATIENCE_S: Final = 2.0
GLOBEX_EVERY: Final = 6
"""Every so manyth caller is the second tenant's."""
FAULTS: Final = (
    "crash",
    "crash at a moment",
    "stop",
    "freeze",
    "pause",
    "cut off",
    "broker lost",
    "clock",
    "loss",
    "slow",
    "upgrade",
    "disk full",
    "silent desktop",
    "slow reader",
    "flood",
)
OFTEN: Final = ("crash at a moment", "crash at a moment")
"""Once more each: there are many moments."""
OWNER: Final = "owner"
"""Of a fault: it befalls whoever owns the service's partition by then, rather than its target."""
OWNERS_SHARE: Final = 0.7
"""A standby that stands still or is stopped is hardly missed."""
MOMENTS: Final = (
    "before append",
    "after append",
    "before reply",
    "before snapshot",
    "during snapshot",
    "after snapshot",
)
FLOOD_MIN, FLOOD_MAX = 10, 20
"""Callers who come at once: more than admission lets in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One contact and who is behind it."""

    name: str
    at_s: float
    domain: str
    queue_id: str
    priority: int
    patience_s: float
    talk_s: float
    hangs_up: bool
    doubles: bool
    """Sends each command twice, to two replicas."""
    key: str
    """Pressed in the middle of waiting; empty: none."""

    @property
    def chats(self) -> bool:
        """Whether they write rather than call."""
        return self.queue_id == CHATS

    @property
    def last_resort(self) -> str:
        """The queue that takes them in the end."""
        return CHATS if self.chats else LAST_RESORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent with a desktop."""

    name: str
    at_s: float
    domain: str
    skilled: bool
    slots: int
    """Calls at once."""
    chats: int
    """Chats at once; 0: none."""
    units: int
    """What all of it may cost together: two for a call, one for a chat; 0: no matter."""
    calls_interrupt: bool
    """Whether a call may come to who chats; then no chat comes to who calls."""
    group: str
    """Empty: of none."""
    reliable: float
    """Share of offers that are answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong."""

    name: str
    kind: str
    at_s: float
    for_s: float
    target: str
    """A replica (`routing/0`), or an agent."""
    detail: str = ""
    amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One story."""

    seed: int
    lasts_s: float
    replicas_each: int
    callers: tuple[Caller, ...]
    regulars: tuple[Caller, ...]
    """They call one after the other while too little happens for a story."""
    agents: tuple[Agent, ...]
    faults: tuple[Fault, ...]
    log_faults: tuple[tuple[str, int], ...]
    """Per mille of appends or reads, by the name of the fault."""

    def names(self) -> list[str]:
        """Return what can be left out."""
        every: Iterable[Caller | Agent | Fault] = (*self.faults, *self.callers, *self.agents)
        return [one.name for one in every] + [f"log {name}" for name, _ in self.log_faults]

    def without(self, names: Iterable[str]) -> "Plan":
        """Return the story without those."""
        left_out = set(names)
        return replace(
            self,
            callers=tuple(one for one in self.callers if one.name not in left_out),
            agents=tuple(one for one in self.agents if one.name not in left_out),
            faults=tuple(one for one in self.faults if one.name not in left_out),
            log_faults=tuple(one for one in self.log_faults if f"log {one[0]}" not in left_out),
        )


def happens(chance: random.Random, share: float) -> bool:
    """Return whether what happens in a share of all cases happens now."""
    return chance.random() < share


def plan_of(seed: int) -> Plan:
    """Return the story of a seed."""
    chance = random.Random(f"story {seed}")  # noqa: S311 - a simulation must repeat
    lasts_s = chance.uniform(3.0, 7.0)
    replicas_each = chance.choice((2, 2, 2, 3))
    agents = tuple(_agent(chance, number) for number in range(chance.randint(2, 4)))
    callers = tuple(_caller(chance, number, lasts_s) for number in range(chance.randint(4, 9)))
    count = chance.choice((1, 2, 3, 4, 6))
    names = [agent.name for agent in agents]
    return Plan(
        seed=seed,
        lasts_s=lasts_s,
        replicas_each=replicas_each,
        callers=callers,
        regulars=tuple(_regular(chance, 100 + number) for number in range(REGULARS)),
        agents=agents,
        faults=tuple(
            _fault(chance, number, lasts_s, replicas_each, names) for number in range(count)
        ),
        log_faults=tuple(
            (name, chance.choice((5, 20, 60)))
            for name in ("lost", "late", "duplicated", "slow_read", "gap")
            if happens(chance, 0.35)
        ),
    )


def _caller(chance: random.Random, number: int, lasts_s: float) -> Caller:
    domain = GLOBEX if number % GLOBEX_EVERY == GLOBEX_EVERY - 1 else ACME
    return Caller(
        name=f"caller {number}",
        at_s=1.0 + chance.random() * lasts_s * 0.75,
        domain=domain,
        queue_id=chance.choice(COMES_TO),
        priority=chance.choice((0, 0, 0, 2)),
        patience_s=chance.choice((1.0, 3.0, 6.0, 20.0)),
        talk_s=chance.uniform(0.2, 3.0),
        hangs_up=happens(chance, 0.4),
        doubles=happens(chance, 0.15),
        key=KEYS[number % len(KEYS)],
    )


def _regular(chance: random.Random, number: int) -> Caller:
    """Return somebody who does not stay for long: at the end they are not all to be waited for."""
    caller = _caller(chance, number, 0.0)
    return replace(caller, patience_s=REGULAR_PATIENCE_S, hangs_up=True)


def _agent(chance: random.Random, number: int) -> Agent:
    return Agent(
        name=f"agent {number}",
        at_s=chance.uniform(0.5, 2.0),
        domain=GLOBEX if number == 1 else ACME,
        skilled=number <= 1 or happens(chance, 0.5),
        slots=chance.choice((1, 1, 2)),
        # At least one of each tenant takes whatever comes.
        chats=chance.choice((1, 2) if number <= 1 else (0, 2)),
        units=(0, CALL_UNITS + CHAT_UNITS)[number % 2],
        calls_interrupt=happens(chance, 0.6),
        group="" if number <= 1 else SPARE,
        reliable=chance.choice((0.6, 0.9, 1.0)),
    )


def _fault(
    chance: random.Random, number: int, lasts_s: float, replicas_each: int, agents: list[str]
) -> Fault:
    kind = chance.choice((*FAULTS, *OFTEN))
    target = f"{chance.choice(SERVICES)}/{chance.randrange(replicas_each)}"
    detail, amount = "", 0
    match kind:
        case "crash at a moment":
            detail, amount = chance.choice(MOMENTS), chance.randint(1, 12)
            if detail.endswith("snapshot"):
                amount = 1
        case "freeze" | "stop" | "upgrade":
            detail = OWNER if happens(chance, OWNERS_SHARE) else ""
        case "flood":
            amount = chance.randint(FLOOD_MIN, FLOOD_MAX)
        case "clock":
            amount = chance.choice((-3_600_000, -5_000, 700, 30_000, 3_600_000))
        case "loss":
            amount = chance.choice((20, 100, 300))
        case "slow":
            amount = chance.choice((50, 300))
        case "silent desktop" | "slow reader":
            target = chance.choice(agents)
        case _:
            pass
    return Fault(
        name=f"fault {number}",
        kind=kind,
        at_s=chance.uniform(0.8, lasts_s * 0.85),
        for_s=chance.uniform(0.3, 6.0),
        target=target,
        detail=detail,
        amount=amount,
    )
