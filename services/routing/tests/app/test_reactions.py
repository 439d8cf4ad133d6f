"""Which facts of other services are taken in, and as what."""

from dataclasses import replace
from typing import Any, get_type_hints

import pytest
from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import event_class, service_of
from huntgroup_contracts.requirements import TEXT_MAX
from huntgroup_eventlog.application import ForeignEvent
from huntgroup_routing.app.reactions import OBSERVATIONS, RoutingReactions
from huntgroup_routing.core.messages import (
    ChannelCapacity,
    Command,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
)
from huntgroup_routing.core.values import AgentId, Channel, ContactId, OfferId, QueueId, Skill

ADA, FIRST, GRACE = ContactId("ada"), OfferId("ada.1"), AgentId("grace")
OFFER: dict[str, Any] = {"contact_id": ADA, "offer_id": FIRST, "agent_id": GRACE}


def foreign(message: Message) -> ForeignEvent:
    type_ = message.DESCRIPTOR.GetOptions().Extensions[event_type]
    return ForeignEvent(
        service=service_of(type_),
        domain="acme/emea",
        type=type_,
        payload=message.SerializeToString(),
        at_ms=1_000,
        sequence=1,
        event_id="hash-0",
        traceparent="",
    )


@pytest.mark.parametrize(
    ("fact", "command"),
    [
        (
            session.ContactQueued(
                contact_id=ADA,
                queue_id="sales",
                channel=session.CHANNEL_CHAT,
                priority=-2,
                required_skills=["german"],
                enqueued_at_ms=900,
                requirement='lang in ("fa") and  lang == "ar"',
            ),
            ObserveContactQueued(
                contact_id=ADA,
                queue_id=QueueId("sales"),
                channel=Channel.CHAT,
                priority=-2,
                required_skills=(Skill("german"),),
                enqueued_at_ms=900,
                requirement='lang == "ar" and lang == "fa"',
            ),
        ),
        (
            session.ContactAbandoned(contact_id=ADA, offer_id=FIRST),
            ObserveContactAbandoned(contact_id=ADA),
        ),
        (
            agent_state.AgentSignedOn(
                agent_id=GRACE,
                skills=["german"],
                capacity=[
                    agent_state.ChannelCapacity(channel=agent_state.CHANNEL_MESSAGE, slots=3)
                ],
            ),
            ObserveAgentSignedOn(
                agent_id=GRACE,
                skills=(Skill("german"),),
                capacity=(ChannelCapacity(channel=Channel.MESSAGE, slots=3),),
            ),
        ),
        (
            agent_state.AgentSignedOn(
                agent_id=GRACE,
                capacity=[
                    agent_state.ChannelCapacity(
                        channel=agent_state.CHANNEL_VOICE,
                        slots=1,
                        cost=4,
                        interrupts=[agent_state.CHANNEL_CHAT],
                    )
                ],
                capacity_units=5,
            ),
            ObserveAgentSignedOn(
                agent_id=GRACE,
                skills=(),
                capacity=(
                    ChannelCapacity(
                        channel=Channel.VOICE, slots=1, cost=4, interrupts=(Channel.CHAT,)
                    ),
                ),
                capacity_units=5,
            ),
        ),
        (agent_state.AgentSignedOff(agent_id=GRACE), ObserveAgentSignedOff(agent_id=GRACE)),
        (agent_state.AgentWentReady(agent_id=GRACE), ObserveAgentWentReady(agent_id=GRACE)),
        (
            agent_state.AgentWentNotReady(agent_id=GRACE, reason="break"),
            ObserveAgentWentNotReady(agent_id=GRACE),
        ),
        (
            agent_state.AgentStoppedResponding(agent_id=GRACE, offer_id=FIRST),
            ObserveAgentStoppedResponding(agent_id=GRACE),
        ),
        (
            agent_state.AgentReleased(**OFFER),
            ObserveAgentReleased(agent_id=GRACE, offer_id=FIRST),
        ),
        (
            agent_state.OfferTurnedAway(**OFFER),
            ObserveOfferTurnedAway(agent_id=GRACE, offer_id=FIRST),
        ),
    ],
)
def test_a_fact_that_concerns_routing_is_told_to_the_core(fact: Message, command: Command) -> None:
    assert RoutingReactions().react(foreign(fact)) == command


@pytest.mark.parametrize(
    "fact", [session.ContactConnected(**OFFER), agent_state.AgentReserved(**OFFER)]
)
def test_other_facts_are_of_no_concern(fact: Message) -> None:
    assert RoutingReactions().react(foreign(fact)) is None


def test_a_requirement_accepted_before_is_put_in_its_one_form_however_long_that_is() -> None:
    said = " or ".join(f'skill("s{number}")' for number in range(60))
    fact = session.ContactQueued(
        contact_id=ADA, queue_id="sales", channel=session.CHANNEL_CHAT, requirement=said
    )
    command = RoutingReactions().react(foreign(fact))
    assert isinstance(command, ObserveContactQueued)
    assert command.requirement.count(" or ") == said.count(" or ")
    assert len(said) < TEXT_MAX < len(command.requirement)


@pytest.mark.parametrize(
    "payload", [b"\xff", session.ContactQueued(contact_id=ADA).SerializeToString()]
)
def test_a_fact_that_cannot_be_read_is_not_guessed(payload: bytes) -> None:
    damaged = replace(foreign(session.ContactQueued(contact_id=ADA)), payload=payload)
    with pytest.raises(ValueError, match=r"UNSPECIFIED|cannot be read"):
        RoutingReactions().react(damaged)


@pytest.mark.parametrize("type_", OBSERVATIONS)
def test_every_type_in_the_table_is_a_source_s_and_its_function_takes_that_message(
    type_: str,
) -> None:
    assert service_of(type_) in RoutingReactions.sources
    assert get_type_hints(OBSERVATIONS[type_])["fact"] is event_class(type_)
