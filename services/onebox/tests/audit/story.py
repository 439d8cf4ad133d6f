"""A small day, by hand: Ada is answered, Ben gives up waiting, Grace works, and the ledger counts all of it."""

from typing import Any

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.recording.v1 import events_pb2 as recording
from huntgroup.reporting.v1 import events_pb2 as reporting
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session

from .written_log import DOMAIN, WrittenLog

T = 1_800_000_000_000
"""The day begins here, at the beginning of an interval of 15 minutes."""


def at(seconds: float) -> int:
    return T + round(seconds * 1_000)


def queue_configured(seconds: float = 0, threshold_ms: int = 20_000) -> routing.QueueConfigured:
    return routing.QueueConfigured(
        at_ms=at(seconds),
        queue_id="sales",
        channel=routing.CHANNEL_VOICE,
        ring_timeout_ms=10_000,
        wrap_up_timeout_ms=5_000,
        service_level_threshold_ms=threshold_ms,
        waiting_max=100,
    )


def initiated(contact_id: str, seconds: float) -> session.ContactInitiated:
    return session.ContactInitiated(
        at_ms=at(seconds),
        contact_id=contact_id,
        conversation_id=contact_id,
        channel=session.CHANNEL_VOICE,
        initiation_method=session.INITIATION_METHOD_INBOUND,
        customer_endpoint="+15550123",
        attributes=[session.Attribute(key="tier", value="gold")],
    )


def queued(contact_id: str, seconds: float, queue_id: str = "sales") -> session.ContactQueued:
    return session.ContactQueued(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id=queue_id,
        channel=session.CHANNEL_VOICE,
        enqueued_at_ms=at(seconds),
    )


def abandoned(contact_id: str, seconds: float, wait_ms: int) -> session.ContactAbandoned:
    return session.ContactAbandoned(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        stage=session.ABANDON_STAGE_IN_QUEUE,
        wait_ms=wait_ms,
    )


def completed(contact_id: str, seconds: float) -> session.ContactCompleted:
    return session.ContactCompleted(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        reason=session.COMPLETION_REASON_WRAP_UP_FINISHED,
        wrap_up_ms=5_000,
    )


def enqueued(contact_id: str, seconds: float, priority: int = 0) -> routing.ContactEnqueued:
    return routing.ContactEnqueued(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        channel=routing.CHANNEL_VOICE,
        priority=priority,
        enqueued_at_ms=at(seconds),
    )


def dequeued(contact_id: str, seconds: float) -> routing.ContactDequeued:
    return routing.ContactDequeued(
        at_ms=at(seconds),
        contact_id=contact_id,
        queue_id="sales",
        reason=routing.DEQUEUE_REASON_CUSTOMER_LEFT,
    )


def offered(
    contact_id: str, agent_id: str, seconds: float, *, since: float | None = None, attempt: int = 1
) -> routing.OfferCreated:
    return routing.OfferCreated(
        at_ms=at(seconds),
        offer_id=f"{contact_id}.{attempt}",
        contact_id=contact_id,
        agent_id=agent_id,
        queue_id="sales",
        channel=routing.CHANNEL_VOICE,
        attempt=attempt,
        expires_at_ms=at(seconds + 10),
        wrap_up_timeout_ms=5_000,
        enqueued_at_ms=at(seconds if since is None else since),
        idle_since_ms=at(0),
        idle_agents=1,
    )


def accepted(contact_id: str, agent_id: str, seconds: float, ring_ms: int) -> routing.OfferAccepted:
    return routing.OfferAccepted(
        at_ms=at(seconds),
        offer_id=f"{contact_id}.1",
        contact_id=contact_id,
        agent_id=agent_id,
        queue_id="sales",
        ring_ms=ring_ms,
    )


def joined(agent_id: str, seconds: float, slots: int = 1) -> routing.AgentJoined:
    capacity = [routing.ChannelCapacity(channel=routing.CHANNEL_VOICE, slots=slots)]
    return routing.AgentJoined(at_ms=at(seconds), agent_id=agent_id, capacity=capacity)


def eligible(agent_id: str, seconds: float) -> routing.AgentBecameEligible:
    return routing.AgentBecameEligible(at_ms=at(seconds), agent_id=agent_id)


def signed_on(agent_id: str, seconds: float, slots: int = 1) -> agent_state.AgentSignedOn:
    capacity = [agent_state.ChannelCapacity(channel=agent_state.CHANNEL_VOICE, slots=slots)]
    return agent_state.AgentSignedOn(at_ms=at(seconds), agent_id=agent_id, capacity=capacity)


def reserved(contact_id: str, agent_id: str, seconds: float) -> agent_state.AgentReserved:
    return agent_state.AgentReserved(
        at_ms=at(seconds),
        agent_id=agent_id,
        offer_id=f"{contact_id}.1",
        contact_id=contact_id,
        queue_id="sales",
        channel=agent_state.CHANNEL_VOICE,
        expires_at_ms=at(seconds + 10),
        wrap_up_timeout_ms=5_000,
    )


def released(contact_id: str, agent_id: str, seconds: float) -> agent_state.AgentReleased:
    return agent_state.AgentReleased(
        at_ms=at(seconds),
        agent_id=agent_id,
        offer_id=f"{contact_id}.1",
        contact_id=contact_id,
        reason=agent_state.RELEASE_REASON_WRAPPED_UP,
    )


def freed(contact_id: str, agent_id: str, seconds: float) -> routing.AgentCapacityFreed:
    return routing.AgentCapacityFreed(
        at_ms=at(seconds), agent_id=agent_id, offer_id=f"{contact_id}.1"
    )


def tell_the_day(
    log: WrittenLog,
    domain: str = DOMAIN,
    ada: str = "ada",
    ben: str = "ben",
    *,
    threshold_ms: int = 20_000,
    location: str = "",
    recorded_as: recording.RecordingSealed | None = None,
) -> None:
    """Write what session, agent-state, routing and recording say of the day.

    `location` is that of the recording, or `recorded_as` all that is said of its file.
    """
    log.tell("routing", queue_configured(0, threshold_ms), domain=domain)
    log.tell(
        "session",
        session.QueueLearned(at_ms=at(0), queue_id="sales", waiting_max=100),
        domain=domain,
    )
    log.tell("agent-state", signed_on("grace", 0), domain=domain)
    log.tell(
        "agent-state", agent_state.AgentWentReady(at_ms=at(1), agent_id="grace"), domain=domain
    )
    log.tell("routing", joined("grace", 0), eligible("grace", 1), domain=domain)
    _tell_the_answer(log, domain, ada)
    recorded: dict[str, Any] = {"recording_id": f"rec-{ada}", "contact_id": ada}
    log.tell(
        "recording",
        recording.RecordingRequested(
            at_ms=at(14),
            queue_id="sales",
            agent_id="grace",
            connected_at_ms=at(14),
            **recorded,
        ),
        recording.RecordingStarted(at_ms=at(15), segment=1, sample_rate_hz=8_000, **recorded),
        domain=domain,
    )
    log.tell("session", initiated(ben, 15), queued(ben, 15), domain=domain)
    log.tell("routing", enqueued(ben, 15), domain=domain)
    log.tell("session", abandoned(ben, 30, 15_000), domain=domain)
    log.tell(
        "routing",
        dequeued(ben, 30),
        domain=domain,
    )
    _tell_the_end(log, domain, ada)
    location = location or f"{domain}/sealed/rec-{ada}.wav"
    log.tell(
        "recording",
        recording.RecordingStopped(at_ms=at(74), segment=1, offset_ms=60_000, **recorded),
        recorded_as or sealed(location, **recorded),
        domain=domain,
    )


def _tell_the_answer(log: WrittenLog, domain: str, ada: str) -> None:
    call: dict[str, Any] = {"contact_id": ada, "offer_id": f"{ada}.1", "agent_id": "grace"}
    log.tell("session", initiated(ada, 10), queued(ada, 10), domain=domain)
    log.tell("routing", enqueued(ada, 10), offered(ada, "grace", 10), domain=domain)
    log.tell("session", session.ContactOffered(at_ms=at(10), **call), domain=domain)
    log.tell("agent-state", reserved(ada, "grace", 10), domain=domain)
    log.tell("routing", accepted(ada, "grace", 14, 4_000), domain=domain)
    log.tell(
        "session",
        session.ContactConnected(
            at_ms=at(14), queue_id="sales", channel=session.CHANNEL_VOICE, wait_ms=4_000, **call
        ),
        domain=domain,
    )
    log.tell("agent-state", agent_state.AgentBecameBusy(at_ms=at(14), **call), domain=domain)


def sealed(location: str, **recorded: Any) -> recording.RecordingSealed:
    return recording.RecordingSealed(
        at_ms=at(75),
        location=location,
        length_bytes=44 + 60 * 8_000 * 4,
        duration_ms=60_000,
        sha256="0" * 64,
        segments=1,
        **recorded,
    )


def _tell_the_end(log: WrittenLog, domain: str, ada: str) -> None:
    call: dict[str, Any] = {"contact_id": ada, "offer_id": f"{ada}.1", "agent_id": "grace"}
    log.tell(
        "session",
        session.ContactDisconnected(
            at_ms=at(74),
            queue_id="sales",
            reason=session.DISCONNECT_REASON_CUSTOMER_DISCONNECT,
            talk_ms=60_000,
            completes_by_ms=at(4_000),
            **call,
        ),
        domain=domain,
    )
    log.tell(
        "agent-state",
        agent_state.AgentStartedWrapUp(at_ms=at(74), ends_at_ms=at(79), **call),
        domain=domain,
    )
    log.tell(
        "agent-state",
        agent_state.AgentFinishedWrapUp(
            at_ms=at(79), ended_by=agent_state.WRAP_UP_END_TIMER, wrap_up_ms=5_000, **call
        ),
        released(ada, "grace", 79),
        domain=domain,
    )
    log.tell("routing", freed(ada, "grace", 79), domain=domain)
    log.tell("session", completed(ada, 79), domain=domain)
    log.tell(
        "agent-state",
        agent_state.AgentSignedOff(
            at_ms=at(100), agent_id="grace", reason=agent_state.SIGN_OFF_REASON_BY_AGENT
        ),
        domain=domain,
    )
    log.tell("routing", routing.AgentLeft(at_ms=at(100), agent_id="grace"), domain=domain)


def ledger(ada: str = "ada", ben: str = "ben") -> dict[str, Message]:
    """Return the day's entries of the ledger by a name, and the notes that reporting's fold needs, in order."""
    row: dict[str, Any] = {"at_ms": at(101), "queue_id": "sales", "interval_start_ms": T}
    presence: dict[str, Any] = {"at_ms": at(101), "agent_id": "grace"}
    return {
        "target": reporting.QueueTargetNoted(
            at_ms=at(101), queue_id="sales", service_level_threshold_ms=20_000
        ),
        "ada offered": reporting.OfferedContactCounted(
            contact_id=ada, enqueued_at_ms=at(10), **row
        ),
        "ben offered": reporting.OfferedContactCounted(
            contact_id=ben, enqueued_at_ms=at(15), **row
        ),
        "ada answered": reporting.AnsweredContactCounted(
            contact_id=ada, wait_ms=4_000, within_threshold=True, **row
        ),
        "ben abandoned": reporting.AbandonedContactCounted(
            contact_id=ben, wait_ms=15_000, within_threshold=True, **row
        ),
        "outcome": reporting.OfferOutcomeCounted(
            offer_id=f"{ada}.1", agent_id="grace", outcome="accepted", ring_ms=4_000, **row
        ),
        "handled": reporting.HandledContactCounted(
            contact_id=ada, offer_id=f"{ada}.1", talk_ms=60_000, wrap_up_ms=5_000, **row
        ),
        "on": reporting.AgentPresenceNoted(
            since_ms=at(0), presence=reporting.PRESENCE_NOT_READY, **presence
        ),
        "not ready": agent_time(1, not_ready_ms=1_000),
        "idle": agent_time(10, idle_ms=9_000),
        "ringing": agent_time(14, ringing_ms=4_000),
        "talking": agent_time(74, talking_ms=60_000),
        "wrapping up": agent_time(79, wrapping_up_ms=5_000),
        "idle again": agent_time(100, idle_ms=21_000),
        "off": reporting.AgentPresenceNoted(
            since_ms=at(100), presence=reporting.PRESENCE_SIGNED_OFF, **presence
        ),
    }


def agent_time(until: float, **amounts: int) -> reporting.AgentTimeCounted:
    return reporting.AgentTimeCounted(
        at_ms=at(101),
        agent_id="grace",
        interval_start_ms=T,
        until_ms=at(until),
        intervals=1,
        **amounts,
    )


def tell_the_ledger(
    log: WrittenLog,
    entries: dict[str, Message] | None = None,
    domain: str = DOMAIN,
) -> dict[str, int]:
    """Write the ledger of the day, one entry a batch, after all has been taken in; return their positions."""
    entries = ledger() if entries is None else entries
    log.tell("reporting", domain=domain, at_ms=at(101), sources=log.taken_in(domain))
    return {name: log.tell("reporting", entry, domain=domain) for name, entry in entries.items()}
