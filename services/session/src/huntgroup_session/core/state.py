"""What the session service knows of one domain: its contacts, each in one phase of its life, and its queues.

Each phase is a type that holds what this phase alone needs, so that a contact on hold without the beginning of the
hold cannot be written down. Only `evolve` changes anything here.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from huntgroup_session.core.values import (
    AgentId,
    Channel,
    ContactId,
    ConversationId,
    OfferId,
    QueueId,
)

CONTACTS_MAX = 200_000
"""So many contacts of a domain live at a time: memory and the size of a snapshot are bounded, whatever callers do."""

ENDED_MAX = 10_000
"""So many ended contacts of a domain are remembered, the last to end, to answer those who come late."""


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


Phase = (
    Initiated | Queued | Offering | Connected | OnHold | Wrapping | Completed | Abandoned | Diverted
)


class Place(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Where and since when a contact waits or waited. All empty: it was never queued."""

    queue_id: QueueId = QueueId("")
    priority: int = 0
    required_skills: tuple[str, ...] = ()
    enqueued_at_ms: int = 0


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
    """How many offers it had when it was handed back the last time."""

    @property
    def state(self) -> str:
        """The phase by its public name, for example `ON_HOLD`."""
        return str(self.phase.__struct_config__.tag)

    def wait_ms(self, at_ms: int) -> int:
        """Return how long it has waited at `at_ms`; 0 when it was never queued."""
        return at_ms - self.place.enqueued_at_ms if self.place.queue_id else 0


@dataclass(slots=True, kw_only=True)
class Queue:
    """A queue that contacts may be sent to."""

    waiting_max: int
    waiting: int = 0
    """Its contacts QUEUED or OFFERING: one that rings may come back, so its place is still taken."""
    open: bool = True
    """False: routing has retired it, and it is kept until the last of them has left."""


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

    def find(self, contact_id: ContactId) -> Contact | None:
        """Return a contact that is live or still remembered."""
        return self.live.get(contact_id) or self.ended.get(contact_id)


class _Dump(msgspec.Struct, array_like=True):
    """What is stored of a state: no index, and no order but those that mean something."""

    queues: list[tuple[QueueId, int, bool]]
    live: list[Contact]
    wrapping: list[tuple[ContactId, int]]
    ended: list[Contact]


def dump(state: State) -> bytes:
    """Return the state in canonical form: equal states give equal bytes."""
    stored = _Dump(
        queues=sorted((key, one.waiting_max, one.open) for key, one in state.queues.items()),
        live=[state.live[contact_id] for contact_id in sorted(state.live)],
        wrapping=list(state.wrapping.items()),
        ended=list(state.ended.values()),
    )
    return msgspec.msgpack.encode(stored)


def load(domain: str, dumped: bytes) -> State:
    """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
    stored = msgspec.msgpack.decode(dumped, type=_Dump)
    state = State(
        domain=domain,
        queues={key: Queue(waiting_max=most, open=open_) for key, most, open_ in stored.queues},
        live={contact.contact_id: contact for contact in stored.live},
        wrapping=OrderedDict(stored.wrapping),
        ended=OrderedDict((contact.contact_id, contact) for contact in stored.ended),
    )
    for contact in stored.live:
        if isinstance(contact.phase, Queued | Offering):
            if contact.place.queue_id not in state.queues:
                raise ValueError(f"contact {contact.contact_id} waits in a queue that is not there")
            state.queues[contact.place.queue_id].waiting += 1
    return state
