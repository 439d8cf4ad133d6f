"""How callers and agents behave: distributions and shares, each by a seeded chance of its own."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

SECOND_MS = 1_000
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue of the played centre, in time of the day."""

    queue_id: str
    share: float
    """Of all calls."""
    skills: tuple[str, ...] = ()
    priority: int = 0
    recorded: bool = False
    ring_timeout_ms: int = 20 * SECOND_MS
    wrap_up_timeout_ms: int = 30 * SECOND_MS
    service_level_threshold_ms: int = 20 * SECOND_MS


QUEUES = (
    Queue(queue_id="regular", share=0.80),
    Queue(queue_id="new-customer", share=0.10, priority=5),
    Queue(queue_id="internet", share=0.09, skills=("internet",)),
    Queue(queue_id="stock", share=0.01, skills=("stock",), recorded=True),
)
"""Types of service of the bank whose day is played; the rarest is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerPlan:
    """What one caller will do."""

    queue: Queue
    patience_ms: float
    service_ms: float
    hold_ms: float
    """0: is not put on hold."""
    hangs_up: bool
    """The customer ends the conversation; otherwise the agent does."""


SERVICE_MEAN_MS = 3 * MINUTE_MS
SERVICE_SIGMA = 0.8
"""Of the logarithm; service times of the same centre are close to lognormal (Brown et al., JASA 2005)."""
PATIENCE_MEAN_MS = 6 * MINUTE_MS


HELD_SHARE = 0.12
HANG_UP_SHARE = 0.7


def plan_caller(chance: random.Random, queues: Sequence[Queue] = QUEUES) -> CallerPlan:
    """Draw one caller of one of `queues`."""
    mu = math.log(SERVICE_MEAN_MS) - SERVICE_SIGMA**2 / 2
    service_ms = max(5 * SECOND_MS, chance.lognormvariate(mu, SERVICE_SIGMA))
    held = chance.random() < HELD_SHARE and service_ms > MINUTE_MS
    return CallerPlan(
        queue=chance.choices(queues, [queue.share for queue in queues])[0],
        patience_ms=chance.expovariate(1 / PATIENCE_MEAN_MS),
        service_ms=service_ms,
        hold_ms=chance.uniform(10, 40) * SECOND_MS if held else 0.0,
        hangs_up=chance.random() < HANG_UP_SHARE,
    )


ANSWER, DECLINE, LET_RING, LOSE_CONNECTION = "answer", "decline", "let it ring", "lose connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPlan:
    """What an agent does with one offer, and after how long."""

    action: str
    after_ms: float


def plan_offer(chance: random.Random) -> OfferPlan:
    """Draw an agent's reaction to a ringing contact."""
    action = chance.choices(
        (ANSWER, DECLINE, LET_RING, LOSE_CONNECTION), (0.955, 0.02, 0.018, 0.007)
    )[0]
    return OfferPlan(action=action, after_ms=chance.uniform(1.5, 7) * SECOND_MS)


def plan_wrap_up_ms(chance: random.Random) -> float:
    """Draw how long after-call work takes; longer than the queue allows means that its timer ends it."""
    return chance.uniform(5, 36) * SECOND_MS


def skills_of(number: int) -> tuple[str, ...]:
    """Return the skills of the agent with that number: every second one internet, every third one stock."""
    skills = (["internet"] if number % 2 == 0 else []) + (["stock"] if number % 3 == 0 else [])
    return tuple(skills)
