"""The service as its clients see it: real gRPC on the loopback, a journal in memory, virtual time."""

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.agent_state.v1.events_pb2 import (
    AgentReleased,
    AgentSignedOff,
    AgentSignedOn,
    AgentStoppedResponding,
    AgentWentReady,
)
from huntgroup.routing.v1.commands_pb2 import OfferView, QueueView, WaitEstimate, WaitingView
from huntgroup.routing.v1.events_pb2 import (
    CHANNEL_VOICE,
    DECISION_RULE_STRATEGY,
    SELECTION_STRATEGY_LONGEST_IDLE,
    Explanation,
    OfferCreated,
    RoutingStep,
)
from huntgroup.session.v1 import events_pb2 as session
from huntgroup.session.v1.events_pb2 import ContactAbandoned, ContactQueued
from huntgroup_runtime.rpc.errors import RpcRefusedError

if TYPE_CHECKING:
    from services.routing.tests.adapters.conftest import House, Houses

pytestmark = pytest.mark.integration

NOW_MS = 1_000_000
SALES: dict[str, Any] = {
    "queue_id": "sales",
    "channel": CHANNEL_VOICE,
    "required_skills": ["german"],
    "ring_timeout_ms": 20_000,
    "wrap_up_timeout_ms": 30_000,
    "service_level_threshold_ms": 25_000,
}


async def agent(house: "House", agent_id: str) -> None:
    capacity = [agent_state.ChannelCapacity(channel=agent_state.CHANNEL_VOICE, slots=1)]
    await house.say(AgentSignedOn(agent_id=agent_id, skills=["german"], capacity=capacity))
    await house.say(AgentWentReady(agent_id=agent_id))


async def contact(house: "House", contact_id: str, priority: int = 0) -> None:
    await house.say(
        ContactQueued(
            contact_id=contact_id,
            queue_id="sales",
            channel=session.CHANNEL_VOICE,
            priority=priority,
            enqueued_at_ms=NOW_MS - 5,
        )
    )


async def events(house: "House") -> list[str]:
    published = await house.published()
    return [one.type.removeprefix("huntgroup.routing.").removesuffix(".v1") for one in published]


async def test_a_contact_is_offered_declined_missed_and_taken(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    await agent(house, "grace")
    await contact(house, "ada")
    await house.call("RejectOffer", offer_id="ada.1", agent_id="grace", reason="wrong language")
    await agent(house, "alan")
    await house.jump()
    await house.say(AgentStoppedResponding(agent_id="alan", offer_id="ada.2"))
    await house.say(AgentReleased(agent_id="alan", offer_id="ada.2"))
    await house.say(AgentReleased(agent_id="grace", offer_id="ada.1"))
    await house.call("AcceptOffer", offer_id="ada.3", agent_id="grace")
    await house.say(AgentSignedOff(agent_id="alan"))
    assert await events(house) == [
        "queue.configured",
        "agent.joined",
        "agent.became-eligible",
        "contact.enqueued",
        "offer.created",
        "offer.rejected",
        "contact.requeued",
        "agent.joined",
        "agent.became-eligible",
        "offer.created",
        "offer.expired",
        "contact.requeued",
        "agent.became-ineligible",
        "agent.capacity-freed",
        "agent.capacity-freed",
        "offer.created",
        "offer.accepted",
        "agent.left",
    ]


async def test_a_queue_and_an_offer_are_shown_as_they_are(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    for contact_id, priority in (("ada", 0), ("ben", 2), ("cai", 1)):
        await contact(house, contact_id, priority)
    await agent(house, "grace")
    assert await house.queue("sales") == QueueView(
        **SALES,
        waiting_max=10_000,
        strategy=SELECTION_STRATEGY_LONGEST_IDLE,
        policy_version=1,
        domain_version=1,
        waiting=2,
        ringing=1,
        first_waiting=[
            WaitingView(contact_id="cai", priority=1, enqueued_at_ms=NOW_MS - 5),
            WaitingView(contact_id="ada", enqueued_at_ms=NOW_MS - 5),
        ],
    )
    offer = OfferView(
        offer_id="ben.1",
        contact_id="ben",
        agent_id="grace",
        queue_id="sales",
        state="PENDING",
        created_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + 20_000,
    )
    assert await house.offer("ben.1") == offer
    await house.call("AcceptOffer", offer_id="ben.1", agent_id="grace")
    offer.state = "ACCEPTED"
    assert await house.offer("ben.1") == offer


async def test_an_offer_names_its_decision(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    await agent(house, "grace")
    await contact(house, "ada")
    envelope = (await house.published())[-1]
    created = OfferCreated.FromString(envelope.payload)
    assert created == OfferCreated(
        at_ms=NOW_MS,
        offer_id="ada.1",
        contact_id="ada",
        agent_id="grace",
        queue_id="sales",
        channel=CHANNEL_VOICE,
        attempt=1,
        expires_at_ms=NOW_MS + 20_000,
        wrap_up_timeout_ms=30_000,
        enqueued_at_ms=NOW_MS - 5,
        idle_since_ms=NOW_MS,
        idle_agents=1,
        explanation=Explanation(
            rule=DECISION_RULE_STRATEGY,
            strategy=SELECTION_STRATEGY_LONGEST_IDLE,
            policy_version=1,
            value=NOW_MS,
        ),
    )


async def test_a_decision_explains_itself(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    for agent_id in ("grace", "alan"):
        await agent(house, agent_id)
    await contact(house, "ada")
    told = await house.explain("ada.1")
    assert told.offer == await house.offer("ada.1")
    assert (told.explanation.rule, told.explanation.runner_up_id) == (
        DECISION_RULE_STRATEGY,
        "alan",
    )
    assert told.text.startswith("LONGEST_IDLE chose grace, one of 2 idle agents: idle since 19")
    with pytest.raises(RpcRefusedError, match="OFFER_UNKNOWN"):
        await house.explain("ada.2")


async def test_a_contact_tells_its_position_and_its_next_step(house: "House") -> None:
    steps = [RoutingStep(after_ms=9_000, requirement='lang == "ar"')]
    await house.call("ConfigureQueue", **SALES, steps=steps)
    await contact(house, "ada")
    await contact(house, "ben")
    told = await house.contact("ben")
    assert (told.queue_id, told.position, told.able_agents, told.offer_id) == ("sales", 2, 0, "")
    assert (told.contact.step, told.contact.next_step_at_ms) == (0, NOW_MS - 5 + 9_000)
    await agent(house, "grace")
    told = await house.contact("ada")
    assert (told.position, told.able_agents, told.offer_id) == (0, 1, "ada.1")
    with pytest.raises(RpcRefusedError, match="CONTACT_UNKNOWN"):
        await house.contact("cai")


async def refused(house: "House", rpc: str, **fields: Any) -> tuple[StatusCode, str]:
    with pytest.raises(RpcRefusedError) as error:
        await house.call(rpc, **fields)
    return error.value.status, error.value.reason


async def test_a_refusal_says_in_its_status_what_a_client_can_do(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    await agent(house, "grace")
    await contact(house, "ada")
    first = {"offer_id": "ada.1", "agent_id": "grace"}
    assert await refused(house, "AcceptOffer", offer_id="ada.1", agent_id="alan") == (
        StatusCode.FAILED_PRECONDITION,
        "WRONG_AGENT",
    )
    await house.say(ContactAbandoned(contact_id="ada", offer_id="ada.1"))
    assert [
        await refused(house, "AcceptOffer", **first),
        await refused(house, "RejectOffer", **first),
        await refused(house, "AcceptOffer", offer_id="eve.1", agent_id="grace"),
        await refused(house, "ConfigureQueue", **{**SALES, "ring_timeout_ms": 0}),
    ] == [
        (StatusCode.FAILED_PRECONDITION, "OFFER_ENDED"),
        (StatusCode.FAILED_PRECONDITION, "OFFER_ENDED"),
        (StatusCode.NOT_FOUND, "OFFER_UNKNOWN"),
        (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    ]
    for asked in (house.queue("nowhere"), house.offer("eve.1")):
        with pytest.raises(RpcRefusedError) as error:
            await asked
        assert error.value.status is StatusCode.NOT_FOUND


async def test_an_answer_that_is_repeated_has_one_effect(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    await agent(house, "grace")
    await contact(house, "ada")
    accept = {"offer_id": "ada.1", "agent_id": "grace"}
    first = (await house.call("AcceptOffer", "tap-1", **accept)).receipt
    again = (await house.call("AcceptOffer", "tap-1", **accept)).receipt
    await house.call("AcceptOffer", "tap-2", **accept)
    assert (first.position, again.position) == (first.position, first.position)
    assert (first.repeated, again.repeated) == (False, True)
    assert (await events(house)).count("offer.accepted") == 1


async def test_the_order_of_waiting_and_the_lease_survive_the_process(houses: "Houses") -> None:
    async with houses() as house:
        await house.call("ConfigureQueue", **SALES)
        for contact_id, priority in (("ada", 0), ("ben", 2), ("cai", 1)):
            await contact(house, contact_id, priority)
        await agent(house, "grace")
        before = await house.queue("sales")
    async with houses() as house:
        assert await house.queue("sales") == before
        await house.jump()
        assert (await house.offer("ben.1")).state == "EXPIRED"
        assert [one.contact_id for one in (await house.queue("sales")).first_waiting] == [
            "ben",
            "cai",
            "ada",
        ]


async def test_a_contact_and_its_queue_are_shown_with_their_estimated_wait(house: "House") -> None:
    await house.call("ConfigureQueue", **SALES)
    for contact_id in ("ada", "ben", "cai"):
        await contact(house, contact_id)
    assert not (await house.contact("cai")).HasField("estimated_wait")
    assert not (await house.queue("sales")).HasField("estimated_wait")
    await agent(house, "grace")
    await agent(house, "alan")
    waiting, ringing = await house.contact("cai"), await house.contact("ada")
    assert waiting.HasField("estimated_wait")
    assert (waiting.position, ringing.position) == (1, 0)
    assert ringing.estimated_wait == WaitEstimate()
    assert (await house.queue("sales")).HasField("estimated_wait")
