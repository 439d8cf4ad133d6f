"""Which fact follows from which, in the journal of whom: invariants 1 to 3 and 5. `consequences.py` looks for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.recording.v1 import events_pb2 as recording
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session

SEALED_WITHIN_MS: Final = 60_000
"""A stopped recording waits for late audio, then it is put together."""


def _always(_event: Any) -> bool:
    return True


def _stood_in_queue(event: Any) -> bool:
    return bool(event.in_line if isinstance(event, session.CallbackEnded) else event.queue_id)


def _agent_waits(event: Any) -> bool:
    """Whether an agent has accepted, and somebody dials the customer now."""
    return bool(event.offer_id)


def _sent_away(event: Any) -> bool:
    """Whether a rule of its queue let a contact go, so that session has to say what becomes of it."""
    if not isinstance(event, routing.ContactDequeued):
        return True
    postponed = event.reason == routing.DEQUEUE_REASON_CALLBACK_POSTPONED
    return event.HasField("stay") and (postponed or event.HasField("overflow"))


def _gives_back(event: Any) -> bool:
    """Whether routing's slot is free by it: a rescinded offer keeps it, unless it was turned away."""
    return (
        not isinstance(event, routing.OfferRescinded)
        or event.reason == routing.RESCIND_REASON_AGENT_TURNED_AWAY
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """From each of `causes` one of `settled_by` follows in the journal of `debtor`, before or after it in log time."""

    invariant: int
    causes: tuple[type[Message], ...]
    owes: Callable[[Any], bool] = _always
    key: str = "offer_id"
    """The field that both have."""
    each_stay: bool = False
    """Whether each stay of a contact in a queue is a matter of its own; both have that field, too."""
    ends: tuple[type[Message], ...] = ()
    """What settles every stay of a contact: it is over."""
    debtor: str
    settled_by: tuple[type[Message], ...]
    settles: Callable[[Any], bool] = _always
    due: str = "at_ms"
    """The field of the cause that says from when on it is owed."""
    slack_ms: int = 0
    """How much later it may come than it is due, in order."""
    once: bool = False
    """Whether a second one is wrong."""
    reopened_by: type[Message] | None = None
    """What makes an earlier consequence count no more: the slot was taken anew."""
    put_off_by: type[Message] | None = None
    """What lets the consequence be owed later, by another rule."""


RULES: Final = (
    Rule(
        invariant=1,
        causes=(session.ContactQueued,),
        key="contact_id",
        each_stay=True,
        debtor="routing",
        settled_by=(routing.ContactEnqueued,),
    ),
    Rule(
        invariant=1,
        causes=(session.ContactAbandoned, session.CallbackEnded),
        owes=_stood_in_queue,
        key="contact_id",
        debtor="routing",
        settled_by=(routing.ContactDequeued, routing.OfferAccepted),
        reopened_by=routing.ContactEnqueued,
    ),
    Rule(
        invariant=1,
        causes=(routing.ContactMoved,),
        key="contact_id",
        each_stay=True,
        debtor="session",
        settled_by=(session.ContactMoved,),
        ends=(session.ContactAbandoned, session.CallbackEnded),
    ),
    Rule(
        invariant=1,
        causes=(routing.ContactDequeued,),
        owes=_sent_away,
        key="contact_id",
        each_stay=True,
        debtor="session",
        settled_by=(session.ContactHandedBack, session.ContactDiverted, session.CallbackScheduled),
        ends=(session.ContactAbandoned, session.CallbackEnded),
    ),
    Rule(
        invariant=1,
        causes=(agent_state.AgentFinishedWrapUp,),
        key="contact_id",
        debtor="session",
        settled_by=(session.ContactCompleted,),
    ),
    Rule(
        invariant=1,
        causes=(session.ContactDisconnected,),
        key="contact_id",
        debtor="session",
        settled_by=(session.ContactCompleted,),
        due="completes_by_ms",
    ),
    Rule(
        invariant=2,
        causes=(routing.OfferCreated,),
        debtor="agent-state",
        # Who was overtaken is reserved nevertheless, once the offer is seen.
        settled_by=(agent_state.AgentReserved, agent_state.OfferTurnedAway),
    ),
    Rule(
        invariant=2,
        causes=(
            routing.OfferRejected,
            routing.OfferExpired,
            routing.OfferCanceled,
            routing.OfferRescinded,
            session.ContactConnectionFailed,
        ),
        debtor="agent-state",
        settled_by=(agent_state.AgentReleased, agent_state.OfferTurnedAway),
        reopened_by=agent_state.AgentReserved,
    ),
    Rule(
        invariant=2,
        causes=(session.ContactDisconnected,),
        debtor="agent-state",
        settled_by=(agent_state.AgentStartedWrapUp, agent_state.AgentReleased),
        reopened_by=agent_state.AgentReserved,
    ),
    Rule(
        invariant=2,
        causes=(agent_state.AgentStartedWrapUp,),
        debtor="agent-state",
        settled_by=(agent_state.AgentReleased,),
        due="ends_at_ms",
        reopened_by=agent_state.AgentReserved,
    ),
    Rule(
        invariant=2,
        causes=(agent_state.AgentReleased,),
        debtor="routing",
        settled_by=(routing.AgentCapacityFreed, routing.OfferRescinded),
        settles=_gives_back,
    ),
    Rule(
        invariant=3,
        causes=(routing.OfferAccepted,),
        debtor="session",
        settled_by=(session.ContactConnected, session.ContactConnectionFailed),
        once=True,
        put_off_by=session.CallbackDialRequested,
    ),
    Rule(
        invariant=3,
        causes=(session.CallbackDialRequested,),
        owes=_agent_waits,
        debtor="session",
        settled_by=(session.ContactConnected, session.ContactConnectionFailed),
        due="answer_by_ms",
    ),
    Rule(
        invariant=5,
        causes=(session.ContactConnected,),
        key="contact_id",
        debtor="recording",
        settled_by=(recording.RecordingRequested, recording.RecordingOmitted),
    ),
    Rule(
        invariant=5,
        causes=(recording.RecordingStopped,),
        key="recording_id",
        debtor="recording",
        settled_by=(recording.RecordingSealed, recording.RecordingAbsent),
        slack_ms=SEALED_WITHIN_MS,
    ),
)
