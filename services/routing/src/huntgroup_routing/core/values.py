"""The words of routing: identifiers, channels, places in a queue, and the bounds of a domain."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, NewType

from msgspec import Struct

QueueId = NewType("QueueId", str)
ContactId = NewType("ContactId", str)
AgentId = NewType("AgentId", str)
OfferId = NewType("OfferId", str)
Skill = NewType("Skill", str)
NO_CONTACT: Final = ContactId("")

Place = tuple[int, int, ContactId]
"""Where a contact stands: minus its priority where that is strict, since when it counts as waiting (ms), its id.

The least is served first.
"""

Lease = tuple[int, OfferId]
"""When a pending offer expires (ms), and its id."""

QUEUES_MAX = 5_000
AGENTS_MAX = 50_000
"""The same as agent-state's `AGENTS_MAX` (its core/values.py), which refuses to sign on one more."""
StepDue = tuple[int, ContactId]
"""When a contact comes to its next step (ms), and its id."""

WatchDue = tuple[int, ContactId, str, int]
"""When the first contact that waits for a condition goes on (ms), and its id; the condition's trigger and limit."""

HoursDue = tuple[int, QueueId]
"""When a queue opens or closes by its hours (ms), and its id."""

WAITING_MAX_DEFAULT = 10_000
LANES_MAX = 64
"""Of one queue, with the pace of each; more are kept only where contacts wait."""
ENDED_OFFERS_MAX = 10_000
ENDED_CONTACTS_MAX = 10_000
LET_GO_MAX = 8
"""So many of the agents who let a contact go are remembered for `reoffer_after_ms`, the latest."""
UNUSED_REQUIREMENTS_MAX = 256
"""So many requirements are kept indexed after the last contact that had them; each costs agents a little."""
EXPIRIES_PER_DECISION_MAX = 256
"""One decision must fit into one record of the journal, however many leases ran out in the meantime."""
STEPS_PER_DECISION_MAX = 256
"""The same, however many contacts come to a step at once."""
CONDITIONS_MAX = 8
"""So many steps of a queue have a trigger: each is looked at whenever the queue changes."""
ANSWERS_COUNTED = 50
"""The service level of a queue is that of so many contacts, the last."""
ANSWERS_MIN = 20
"""Of fewer it says nothing."""
RINGS_PER_DECISION_MAX = 1_000
"""The same, however many agents ring at once; what a contact may have beyond them follows in the next decision."""
RINGS_WIDENED_PER_DECISION_MAX = 256
RING_MAX_DEFAULT = 10
LAPSES_PER_DECISION_MAX = 256
SCORED_MAX = 64
"""So many idle agents a scorer is asked about, the longest idle."""
LAST_AGENTS_MAX = 50_000
"""Of so many customers it is remembered who served them last, the latest."""
RING_EVERY_MS_DEFAULT = 5_000
CALLBACK_RETRY_MS_DEFAULT = 300_000
CALLBACK_RETRY_MS_MIN = 1_000
CALLBACK_DIAL_MS_DEFAULT = 120_000
CALLBACKS_MAX_DEFAULT = 10_000
RINGS_LOOKED_AT_MAX = 16
"""So many contacts that ring and may ring at one more are looked at for an agent who becomes idle."""
REPLANS_PER_DECISION_MAX = 256
"""The same, however many contacts wait when their queue's plan is changed for them, too."""
BATCH_PAIRS_MAX = 128
"""So many pairs of a contact and an agent are looked at, at most, to see how many contacts can be served together."""
REPRIORITIZED_PER_DECISION_MAX = 256
"""The same, however many stand in a queue that is given another priority."""
POLICY_CHANGES_MAX = 500
"""So many queues change at once, at most: one decision and one record hold them."""
POLICY_BYTES_MAX = 200 * 1_024
"""So long their rules are together, at most, as they are reckoned by `core/changes.py`."""
VERSIONS_MAX = 100
"""So many changes of a domain's policy can be undone, the last."""
VERSIONS_QUEUES_MAX = 20_000
"""So many changed queues are kept for that in all versions together."""
HOURS_PER_DECISION_MAX = 8
"""So many queues open and close by their hours in one decision; 400 days are reckoned for each that stays closed."""
LENDS_PER_DECISION_MAX = 64
"""In so many queues a group comes or goes in one decision."""
MOVES_PER_DECISION_MAX = 128
"""The same for those that go to other queues at once; each may have several events."""


class Channel(StrEnum):
    """The kind of a contact, and of an agent's slots."""

    VOICE = "VOICE"
    CHAT = "CHAT"
    MESSAGE = "MESSAGE"
    CALLBACK = "CALLBACK"


USUAL_CHANNEL: Final = Channel.VOICE
"""What a queue that takes any channel is looked at with where nobody has come yet."""


class Strategy(StrEnum):
    """Which of the idle agents gets a contact; `core/selection.py` says by what each is measured."""

    LONGEST_IDLE = "LONGEST_IDLE"
    MOST_IDLE = "MOST_IDLE"
    FEWEST_CONTACTS = "FEWEST_CONTACTS"
    LEAST_HANDLE_TIME = "LEAST_HANDLE_TIME"
    LEAST_OCCUPIED = "LEAST_OCCUPIED"
    ROUND_ROBIN = "ROUND_ROBIN"
    LINEAR = "LINEAR"
    RANDOM = "RANDOM"
    WEIGHTED_RANDOM = "WEIGHTED_RANDOM"
    BEST_SKILL = "BEST_SKILL"
    RING_ALL = "RING_ALL"
    RING_PROGRESSIVELY = "RING_PROGRESSIVELY"
    SCORED = "SCORED"


class DecisionRule(StrEnum):
    """By which rule a contact and an agent were brought together."""

    STRATEGY = "STRATEGY"
    NOBODY_ELSE = "NOBODY_ELSE"
    FIRST_IN_LINE = "FIRST_IN_LINE"
    RINGS_ALONG = "RINGS_ALONG"
    PREFERRED = "PREFERRED"
    DIRECT = "DIRECT"
    PULLED = "PULLED"
    ASSIGNED = "ASSIGNED"
    FIRST_BY_RANK = "FIRST_BY_RANK"


class Explanation(Struct, array_like=True, frozen=True, kw_only=True, gc=False):
    """Why it was this agent and this contact: the rule, and the values it compared.

    An offer keeps it, and is written with it as briefly as possible: the order of the fields is part of the format.
    """

    rule: DecisionRule
    strategy: Strategy | None
    policy_version: int
    value: int
    """By a strategy: of the agent. First in line: since when the contact waits (ms)."""
    runner_up_id: str
    runner_up_value: int
    priority: int
    runner_up_priority: int
    set_aside: int
    """How many idle agents had let the contact go a moment ago."""
    asked_by: str = ""
    """By hand: who asked for it."""
    scorer: str = ""
    """The plug-in that gave the points, and its version."""
    head_start_ms: int = 0
    """In line: by so much longer it counts as having waited, for its priority."""
    runner_up_head_start_ms: int = 0
    rank: int = 0
    runner_up_rank: int = 0
    kept_for_others: int = 0
    """How many idle agents were not asked since others who were offered at the same moment needed them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillLevel:
    """How well an agent has a skill, from 1 to 100."""

    skill: Skill
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAttribute:
    """Something else that is true of an agent."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTraits:
    """What is known of an agent beside the bare names of skills; a skill without a level has 1."""

    skill_levels: tuple[SkillLevel, ...] = ()
    languages: tuple[str, ...] = ()
    attributes: tuple[AgentAttribute, ...] = ()
    groups: tuple[str, ...] = ()


class Own(NamedTuple):
    """What a contact asks of agents by itself, whatever its queue does."""

    skills: tuple[Skill, ...] = ()
    requirement: str = ""
    """In its one form; empty: nothing."""


NOTHING: Final = Own()


class StepTrigger(StrEnum):
    """What must hold, beside the time, for a contact to come to a step."""

    QUEUE_LENGTH = "QUEUE_LENGTH"
    ESTIMATED_WAIT = "ESTIMATED_WAIT"
    NOBODY_ON_DUTY = "NOBODY_ON_DUTY"
    SERVICE_LEVEL = "SERVICE_LEVEL"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingStep:
    """What is asked of an agent instead once a contact has waited so long, and something holds."""

    after_ms: int = 0
    required_skills: tuple[Skill, ...] = ()
    requirement: str = ""
    trigger: StepTrigger | None = None
    """None: time alone."""
    limit: int = 0
    """Contacts, milliseconds or per cent, as the trigger says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSkill:
    """A skill that requirements may name, and the highest level that anybody has it at; 0 means 100."""

    skill: Skill
    highest_level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words that requirements may use; a kind that is not listed at all may be any."""

    skills: tuple[DeclaredSkill, ...] = ()
    languages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingGroup:
    """How the agents of a group serve a queue; no group: those of none that is named beside."""

    group: str
    rank: int = 0
    """Queues of a lower number go first."""
    weight: int = 0
    """The queue's share among those of the same rank; 0: by place."""
    delay_ms: int = 0
    """The group is asked for contacts that have waited so long."""


class OfferState(StrEnum):
    """An offer is pending until exactly one outcome."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELED = "CANCELED"
    RESCINDED = "RESCINDED"


class DequeueReason(StrEnum):
    """Why a contact waits no longer without having been connected."""

    CUSTOMER_LEFT = "CUSTOMER_LEFT"
    OVERFLOWED = "OVERFLOWED"
    CALLBACK_POSTPONED = "CALLBACK_POSTPONED"
    CALLBACK_ENDED = "CALLBACK_ENDED"
    CALLBACK_DUE = "CALLBACK_DUE"


class CancelReason(StrEnum):
    """Why an offer lost its contact."""

    CUSTOMER_LEFT = "CUSTOMER_LEFT"
    CUSTOMER_EXITED = "CUSTOMER_EXITED"
    CONTACT_MOVED = "CONTACT_MOVED"
    CALLBACK_POSTPONED = "CALLBACK_POSTPONED"
    CALLBACK_ENDED = "CALLBACK_ENDED"


class RescindReason(StrEnum):
    """Why an offer lost its agent."""

    AGENT_SIGNED_OFF = "AGENT_SIGNED_OFF"
    AGENT_TURNED_AWAY = "AGENT_TURNED_AWAY"
    TAKEN_BY_ANOTHER = "TAKEN_BY_ANOTHER"


class LapseReason(StrEnum):
    """Why a contact waits for certain agents no more."""

    WAITED_LONG_ENOUGH = "WAITED_LONG_ENOUGH"
    AGENTS_GONE = "AGENTS_GONE"


class IneligibleReason(StrEnum):
    """Why an agent takes no contacts."""

    NOT_READY = "NOT_READY"
    NOT_RESPONDING = "NOT_RESPONDING"


def place_of(
    priority: int, enqueued_at_ms: int, contact_id: ContactId, priority_point_ms: int = 0
) -> Place:
    """Return the place of a contact; it never changes, so a contact that comes back finds it again.

    Where a point of priority is worth time, priority is a head start in age, else it goes before all age.
    """
    if priority_point_ms:
        return (0, enqueued_at_ms - priority * priority_point_ms, contact_id)
    return (-priority, enqueued_at_ms, contact_id)


def offer_id_of(contact_id: ContactId, attempt: int) -> OfferId:
    """Return the id of the contact's offer number `attempt` (from 1): derived, so that a replay finds the same."""
    return OfferId(f"{contact_id}.{attempt}")


def contact_of(offer_id: OfferId) -> ContactId:
    """Return the contact that an offer's id names."""
    return ContactId(offer_id.rpartition(".")[0])


def skill_set(*skills: tuple[Skill, ...]) -> tuple[Skill, ...]:
    """Return all the skills once, sorted."""
    if len(skills) == 1 and len(skills[0]) <= 1:
        return skills[0]
    return tuple(sorted({skill for some in skills for skill in some}))
