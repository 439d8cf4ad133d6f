"""What the session service knows of one domain: its contacts, each in one phase of its life, and its queues.

Each phase is a type that holds what this phase alone needs, so that a contact on hold without the beginning of the
hold cannot be written down. Only `evolve` changes anything here.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

import msgspec

from huntgroup_session.core.events import QueueLearned
from huntgroup_session.core.lines import CallbacksDue
from huntgroup_session.core.values import (
    NOBODY,
    AgentId,
    CallbackMode,
    Channel,
    ContactId,
    ConversationId,
    DialOutcome,
    OfferId,
    QueueId,
)

CONTACTS_MAX = 200_000
"""So many contacts of a domain live at a time: memory and the size of a snapshot are bounded, whatever callers do."""

REQUIREMENTS_MAX = 200
"""So many requirements of their own those have who wait: each is a class that routing compares every agent with."""

ENDED_MAX = 10_000
"""So many ended contacts of a domain are remembered, the last to end, to answer those who come late."""


DIAL_MS: Final = 120_000
"""A dial of which nobody reported anything for so long has failed, where the queue does not say otherwise."""


class Initiated(msgspec.Struct, frozen=True, array_like=True, tag="INITIATED"):
    """Came in; a menu or a greeting looks after the customer."""


class Queued(msgspec.Struct, frozen=True, array_like=True, tag="QUEUED"):
    """Waits for an agent."""


class Offering(msgspec.Struct, frozen=True, array_like=True, tag="OFFERING"):
    """Still waits; an agent rings."""


class Connected(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="CONNECTED"):
    """Customer and agent talk; `hold_ms` is the time of all holds so far."""

    connected_at_ms: int
    hold_ms: int

    def total_hold_ms(self, at_ms: int) -> int:  # noqa: ARG002 (as OnHold)
        """Return the time of all holds until `at_ms`."""
        return self.hold_ms


class OnHold(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="ON_HOLD"):
    """The customer waits for the agent to come back; `hold_ms` is the time of all holds before this one."""

    connected_at_ms: int
    hold_ms: int
    held_at_ms: int

    def total_hold_ms(self, at_ms: int) -> int:
        """Return the time of all holds until `at_ms`, with the one that goes on."""
        return self.hold_ms + at_ms - self.held_at_ms


class Wrapping(msgspec.Struct, frozen=True, array_like=True, tag="WRAPPING"):
    """The customer is gone; the agent's after-call work is not reported as finished yet."""


class Completed(msgspec.Struct, frozen=True, array_like=True, tag="COMPLETED"):
    """Over, after a conversation."""


class Abandoned(msgspec.Struct, frozen=True, array_like=True, tag="ABANDONED"):
    """Over, without a conversation."""


class Diverted(msgspec.Struct, frozen=True, array_like=True, tag="DIVERTED"):
    """Over for us: its queue sent it elsewhere."""


class Scheduled(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="SCHEDULED"):
    """A callback that stands in no line for now; its place is kept."""

    resume_at_ms: int


class Dialing(msgspec.Struct, frozen=True, array_like=True, kw_only=True, tag="DIALING"):
    """A callback that an agent has accepted; somebody dials the customer."""

    answer_by_ms: int


class Lapsed(msgspec.Struct, frozen=True, array_like=True, tag="LAPSED"):
    """Over: a callback that came to no conversation."""


Phase = (
    Initiated
    | Queued
    | Offering
    | Connected
    | OnHold
    | Wrapping
    | Completed
    | Abandoned
    | Diverted
    | Scheduled
    | Dialing
    | Lapsed
)


WAITS: Final = (Queued, Offering, Dialing)
"""Phases in which a contact takes one of the places of its queue."""
HOLDS_PLACE: Final = (*WAITS, Scheduled)
"""Phases in which it belongs to its queue: it waits, or comes back."""


class Place(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Where and since when a contact waits or waited. All empty: it was never queued."""

    queue_id: QueueId = QueueId("")
    priority: int = 0
    required_skills: tuple[str, ...] = ()
    enqueued_at_ms: int = 0
    waits_from_ms: int = 0
    """When it took its place: later than its age says, where a callback came back to it."""
    requirement: str = ""
    """What it asks of agents by itself, as it was written; empty: nothing."""
    preferred_agents: tuple[AgentId, ...] = ()
    direct_agent_id: AgentId = NOBODY
    customer_key: str = ""


class Callback(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """That a customer is to be called back: where, when, and how often it was tried."""

    number: str
    not_before_ms: int
    not_after_ms: int
    attempts: int
    """So often it is dialled at most,"""
    retry_ms: int
    """so long after a dial in vain, and"""
    dial_ms: int
    """so long a dial takes at most: as its queue said when it was asked for."""
    came_by_it: bool = False
    """It came into its queue by it, and did not wait there before."""
    mode: CallbackMode = CallbackMode.AGENT_FIRST
    reached: bool = False
    """The customer, who was to answer first, is on the line: from then on the contact waits as any other."""
    dials: int = 0
    outcome: DialOutcome | None = None
    """Of the last of them; None: it rings, or there was none."""


class Offer(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The offer that rings or was accepted, and its agent. All empty: there is none."""

    offer_id: OfferId = OfferId("")
    agent_id: AgentId = AgentId("")


class Contact(msgspec.Struct, array_like=True, kw_only=True):
    """One contact; place and offer are kept to its end."""

    contact_id: ContactId
    conversation_id: ConversationId
    channel: Channel
    initiated_at_ms: int
    phase: Phase = Initiated()
    place: Place = Place()
    offer: Offer = Offer()
    stay: int = -1
    """How many queues it has stood in, less one."""
    attempts: int = 0
    """How many offers it had."""
    callback: Callback | None = None

    @property
    def state(self) -> str:
        """The phase by its public name, for example `ON_HOLD`."""
        return str(self.phase.__struct_config__.tag)

    def wait_ms(self, at_ms: int) -> int:
        """Return how long it has waited at `at_ms`; 0 when it was never queued."""
        return at_ms - self.place.waits_from_ms if self.place.queue_id else 0

    @property
    def standing(self) -> "Standing":
        """Where it belongs, and as what."""
        if not isinstance(self.phase, HOLDS_PLACE):
            return NOWHERE
        waits = isinstance(self.phase, WAITS)
        called = self.callback is not None and not self.callback.reached
        return (self.place.queue_id, self.place.requirement, waits, called)

    @property
    def callback_due_ms(self) -> int | None:
        """When time alone changes something about a callback; None: it is none, is talked to or is over."""
        if self.callback is None:
            return None
        match self.phase:
            case Scheduled(resume_at_ms=due_ms) | Dialing(answer_by_ms=due_ms):
                return due_ms
            case Queued() | Offering() if not self.callback.reached:
                return self.callback.not_after_ms
            case _:
                return None


Standing = tuple[QueueId, str, bool, bool]
"""The queue that a contact belongs to, its own requirement, and whether it waits, and is to be called back."""
NOWHERE: Final[Standing] = (QueueId(""), "", False, False)


@dataclass(slots=True, kw_only=True)
class Queue:
    """A queue that contacts may be sent to."""

    waiting_max: int
    waiting: int = 0
    """Its contacts QUEUED, OFFERING or DIALING."""
    callbacks: int = 0
    """Its contacts to be called back, SCHEDULED or waiting; not those whose customers have answered."""
    callback_attempts: int = 0
    """So often a callback that is asked for now is dialled at most; 0: it takes none."""
    callback_retry_ms: int = 0
    callbacks_max: int = 0
    """So many are to be called back at once; 0: it was learned of before there was that bound."""
    callback_dial_ms: int = 0
    """So long a dial takes at most; 0: as before."""
    channel: Channel | None = None
    """It takes contacts of this one alone; None: of any, or it was learned of before that was told."""
    open: bool = True
    """False: routing has retired it, and it is kept until the last of them has left."""

    @property
    def limits(self) -> "Limits":
        """What routing said of it."""
        return limits_of(self)

    @property
    def is_over(self) -> bool:
        """Whether nobody comes here any more."""
        return not (self.open or self.waiting or self.callbacks)


Limits = tuple[int, int, int, int, int, Channel | None]


def limits_of(queue: Queue | QueueLearned) -> Limits:
    """Return how many may wait in a queue, and be called back, and how that is tried; and whose channel it takes."""
    return (
        queue.waiting_max,
        queue.callback_attempts,
        queue.callback_retry_ms,
        queue.callbacks_max,
        queue.callback_dial_ms,
        queue.channel,
    )


@dataclass(slots=True, kw_only=True)
class State:
    """One domain."""

    domain: str
    queues: dict[QueueId, Queue] = field(default_factory=dict)
    live: dict[ContactId, Contact] = field(default_factory=dict)
    wrapping: OrderedDict[ContactId, int] = field(default_factory=OrderedDict)
    """When each WRAPPING contact completes at the latest, the next one first."""
    ended: OrderedDict[ContactId, Contact] = field(default_factory=OrderedDict)
    """The last `ENDED_MAX` contacts to end, the oldest first."""
    callbacks_due: CallbacksDue = field(default_factory=CallbacksDue)
    dialing: dict[AgentId, set[ContactId]] = field(default_factory=dict)
    """By agent, the callbacks whose customers are dialled for them."""
    gone: OrderedDict[AgentId, None] = field(default_factory=OrderedDict)
    """The agents who left and have not come back, the first of them first."""
    called_back: dict[str, ContactId] = field(default_factory=dict)
    """By number, the callback that is to be made there."""
    requirements: Counter[str] = field(default_factory=Counter)
    """How many of those that take a place in a queue have one of their own, by its text."""

    def find(self, contact_id: ContactId) -> Contact | None:
        """Return a contact that is live or still remembered."""
        return self.live.get(contact_id) or self.ended.get(contact_id)

    def stand(self, before: Standing, after: Standing) -> None:
        """Let a contact belong elsewhere, or as something else; the last one of a retired queue shuts the door."""
        if before == after:
            return
        if after != NOWHERE:
            # Routing told of the queue before, unless that could not be read, or the queue has retired meanwhile.
            there = self.queues.setdefault(after[0], Queue(waiting_max=0, open=False))
            there.waiting += after[2]
            there.callbacks += after[3]
            self.requirements[after[1]] += bool(after[1])
        if before != NOWHERE:
            left = self.queues[before[0]]
            left.waiting -= before[2]
            left.callbacks -= before[3]
            self.requirements[before[1]] -= bool(before[1])
            if left.is_over:
                del self.queues[before[0]]
        for asked in {after[1], before[1]}:
            if not self.requirements[asked]:
                del self.requirements[asked]

    def watch_dial(self, agent_id: AgentId, contact: Contact) -> None:
        """Note for whom a callback is dialled, who may leave meanwhile; its agent before was `agent_id`."""
        held = self.dialing.get(agent_id)
        if held is not None:
            held.discard(contact.contact_id)
            if not held:
                del self.dialing[agent_id]
        if isinstance(contact.phase, Dialing) and contact.offer.agent_id:
            self.dialing.setdefault(contact.offer.agent_id, set()).add(contact.contact_id)

    def watch_callback(self, contact: Contact) -> None:
        """Note when a callback is due, and that its number is taken, until it is neither."""
        if contact.callback is None:
            return
        due_ms, number = contact.callback_due_ms, contact.callback.number
        self.callbacks_due.put(contact.contact_id, due_ms)
        if due_ms is not None:
            self.called_back[number] = contact.contact_id
        elif self.called_back.get(number) == contact.contact_id:
            del self.called_back[number]


class _Dump(msgspec.Struct, array_like=True):
    """What is stored of a state: no index, and no order but those that mean something."""

    queues: list[tuple[QueueId, bool, Limits]]
    """`open`, and what routing said of it."""
    live: list[Contact]
    wrapping: list[tuple[ContactId, int]]
    ended: list[Contact]
    gone: list[AgentId]


def dump(state: State) -> bytes:
    """Return the state in canonical form: equal states give equal bytes."""
    stored = _Dump(
        queues=sorted((key, one.open, one.limits) for key, one in state.queues.items()),
        live=[state.live[contact_id] for contact_id in sorted(state.live)],
        wrapping=list(state.wrapping.items()),
        ended=list(state.ended.values()),
        gone=list(state.gone),
    )
    return msgspec.msgpack.encode(stored)


def load(domain: str, dumped: bytes) -> State:
    """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
    stored = msgspec.msgpack.decode(dumped, type=_Dump)
    state = State(
        domain=domain,
        queues={
            key: Queue(
                waiting_max=limits[0],
                callback_attempts=limits[1],
                callback_retry_ms=limits[2],
                callbacks_max=limits[3],
                callback_dial_ms=limits[4],
                channel=limits[5],
                open=open_,
            )
            for key, open_, limits in stored.queues
        },
        live={contact.contact_id: contact for contact in stored.live},
        wrapping=OrderedDict(stored.wrapping),
        ended=OrderedDict((contact.contact_id, contact) for contact in stored.ended),
        gone=OrderedDict.fromkeys(stored.gone),
    )
    state.callbacks_due.put_all(
        (contact.contact_id, contact.callback_due_ms) for contact in stored.live
    )
    for contact in stored.live:
        state.watch_callback(contact)
        state.watch_dial(contact.offer.agent_id, contact)
        standing = contact.standing
        if standing != NOWHERE and standing[0] not in state.queues:
            raise ValueError(f"contact {contact.contact_id} waits in a queue that is not there")
        state.stand(NOWHERE, standing)
    return state
