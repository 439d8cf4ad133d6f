"""Which facts of others reach the core, and as what."""

from typing import Any

import pytest
from google.protobuf.message import Message

from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_agent_state.app.reactions import AgentStateReactions
from huntgroup_agent_state.core.messages import (
    Command,
    ObserveContactConnected,
    ObserveContactConnectionFailed,
    ObserveContactDisconnected,
    ObserveOfferCanceled,
    ObserveOfferCreated,
    ObserveOfferExpired,
    ObserveOfferRejected,
    ObserveOfferRescinded,
)
from huntgroup_agent_state.core.values import AgentId, Channel, ContactId, OfferId, QueueId
from huntgroup_contracts.registry import event_types
from huntgroup_eventlog.application import ForeignEvent

OFFER, CONTACT, AGENT = OfferId("c1.1"), ContactId("c1"), AgentId("ada")
IDS: dict[str, Any] = {"offer_id": OFFER, "contact_id": CONTACT, "agent_id": AGENT}
SALES = QueueId("sales")

FACTS: list[tuple[Message, Command]] = [
    (
        routing.OfferCreated(
            **IDS,
            queue_id=SALES,
            channel=routing.CHANNEL_CHAT,
            expires_at_ms=9,
            wrap_up_timeout_ms=7,
        ),
        ObserveOfferCreated(
            offer_id=OFFER,
            contact_id=CONTACT,
            agent_id=AGENT,
            queue_id=SALES,
            channel=Channel.CHAT,
            expires_at_ms=9,
            wrap_up_timeout_ms=7,
        ),
    ),
    (routing.OfferRejected(**IDS), ObserveOfferRejected(offer_id=OFFER)),
    (routing.OfferExpired(**IDS), ObserveOfferExpired(offer_id=OFFER)),
    (routing.OfferCanceled(**IDS), ObserveOfferCanceled(offer_id=OFFER)),
    (
        routing.OfferCanceled(**IDS, reason=routing.CANCEL_REASON_CONTACT_MOVED),
        ObserveOfferCanceled(offer_id=OFFER, contact_moved=True),
    ),
    (routing.OfferRescinded(**IDS), ObserveOfferRescinded(offer_id=OFFER)),
    (
        routing.OfferRescinded(**IDS, reason=routing.RESCIND_REASON_TAKEN_BY_ANOTHER),
        ObserveOfferRescinded(offer_id=OFFER, taken_by_another=True),
    ),
    (
        session.ContactConnected(**IDS, queue_id=SALES, channel=session.CHANNEL_VOICE),
        ObserveContactConnected(
            offer_id=OFFER,
            contact_id=CONTACT,
            agent_id=AGENT,
            queue_id=SALES,
            channel=Channel.VOICE,
        ),
    ),
    (
        session.ContactConnectionFailed(**IDS),
        ObserveContactConnectionFailed(offer_id=OFFER, contact_id=CONTACT, agent_id=AGENT),
    ),
    (
        session.ContactDisconnected(**IDS),
        ObserveContactDisconnected(offer_id=OFFER, contact_id=CONTACT, agent_id=AGENT),
    ),
]


def type_of(message: Message) -> str:
    type_: str = message.DESCRIPTOR.GetOptions().Extensions[event_type]
    return type_


def foreign(type_: str, payload: bytes) -> ForeignEvent:
    return ForeignEvent(
        service="routing",
        domain="acme/emea",
        type=type_,
        payload=payload,
        at_ms=1,
        sequence=1,
        event_id="e-1",
        traceparent="",
    )


@pytest.mark.parametrize(("fact", "command"), FACTS)
def test_a_fact_that_concerns_agents_becomes_an_observation(
    fact: Message, command: Command
) -> None:
    event = foreign(type_of(fact), fact.SerializeToString())
    assert AgentStateReactions().react(event) == command


def test_all_other_facts_are_of_no_concern() -> None:
    known = {type_of(fact) for fact, _ in FACTS}
    others = [type_ for type_ in event_types() if type_ not in known]
    assert "huntgroup.routing.offer.accepted.v1" in others
    assert [AgentStateReactions().react(foreign(type_, b"\xff")) for type_ in others] == [
        None for _ in others
    ]


@pytest.mark.parametrize("channel", [0, 99])
def test_an_offer_of_a_channel_that_is_not_known_is_parked(channel: int) -> None:
    fact = routing.OfferCreated(**IDS, channel=channel)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"channel|Channel|CHANNEL|enum"):
        AgentStateReactions().react(foreign(type_of(fact), fact.SerializeToString()))


def test_a_damaged_payload_is_parked() -> None:
    with pytest.raises(ValueError, match=r"rejected\.v1 e-1 cannot be read"):
        AgentStateReactions().react(foreign("huntgroup.routing.offer.rejected.v1", b"\xff"))
