"""The service as its clients see it: real gRPC on the loopback, a journal in memory, virtual time."""

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from huntgroup.agent_state.v1.events_pb2 import AgentFinishedWrapUp, AgentSignedOff
from huntgroup.routing.v1.events_pb2 import (
    CHANNEL_CHAT,
    OfferAccepted,
    OfferCreated,
    OfferExpired,
    QueueConfigured,
)
from huntgroup.session.v1.events_pb2 import (
    CHANNEL_VOICE,
    Attribute,
    ContactDisconnected,
    ContactInitiated,
)
from huntgroup_runtime.rpc.errors import RpcRefusedError

if TYPE_CHECKING:
    from services.session.tests.adapters.conftest import House, Houses

pytestmark = pytest.mark.integration

SALES = QueueConfigured(queue_id="sales", waiting_max=1)
FIRST: dict[str, Any] = {"contact_id": "ada", "offer_id": "ada.1", "agent_id": "grace"}
SECOND: dict[str, Any] = {"contact_id": "ada", "offer_id": "ada.2", "agent_id": "alan"}


async def queued(house: "House", contact_id: str = "ada") -> None:
    await house.say(SALES)
    await house.call("StartContact", contact_id=contact_id, channel=CHANNEL_VOICE)
    await house.call("QueueContact", contact_id=contact_id, queue_id="sales")


async def test_a_contact_lives_from_first_ring_to_completed(house: "House") -> None:
    await queued(house)
    await house.say(OfferCreated(**FIRST))
    await house.say(OfferExpired(**FIRST))
    await house.say(OfferCreated(**SECOND))
    await house.say(OfferAccepted(**SECOND))
    await house.call("HoldContact", contact_id="ada", agent_id="alan")
    await house.call("RetrieveContact", contact_id="ada", agent_id="alan")
    assert (await house.contact("ada")).state == "CONNECTED"
    await house.call("EndContact", contact_id="ada", agent_id="alan")
    await house.say(AgentFinishedWrapUp(**SECOND, wrap_up_ms=15_000))
    assert (await house.contact("ada")).state == "COMPLETED"
    envelopes = await house.published()
    assert [one.type.removeprefix("huntgroup.session.") for one in envelopes] == [
        "queue.learned.v1",
        "contact.initiated.v1",
        "contact.queued.v1",
        "contact.offered.v1",
        "contact.returned-to-queue.v1",
        "contact.offered.v1",
        "contact.connected.v1",
        "contact.held.v1",
        "contact.retrieved.v1",
        "contact.disconnected.v1",
        "contact.completed.v1",
    ]
    assert [one.sequence for one in envelopes] == list(range(1, 12))


async def test_an_event_names_what_caused_it(house: "House") -> None:
    attributes = [Attribute(key="language", value="de")]
    await house.call(
        "StartContact", "call-1", contact_id="ada", channel=CHANNEL_VOICE, attributes=attributes
    )
    (envelope,) = await house.published()
    assert (envelope.causation_id, envelope.domain) == ("call-1", "acme/emea")
    initiated = ContactInitiated.FromString(envelope.payload)
    assert initiated.at_ms == envelope.time_ms == 1_000_000
    assert list(initiated.attributes) == attributes


async def test_a_command_that_is_repeated_has_one_effect_and_the_same_reply(
    house: "House",
) -> None:
    fields: dict[str, Any] = {"contact_id": "ada", "channel": CHANNEL_VOICE}
    first = (await house.call("StartContact", "call-1", **fields)).receipt
    again = (await house.call("StartContact", "call-1", **fields)).receipt
    assert (first.repeated, again.repeated) == (False, True)
    assert again.position == first.position
    assert len(await house.published()) == 1


async def refused(house: "House", rpc: str, **fields: Any) -> tuple[StatusCode, str]:
    with pytest.raises(RpcRefusedError) as error:
        await house.call(rpc, **fields)
    return error.value.status, error.value.reason


async def test_a_refusal_says_in_its_status_what_a_client_can_do(house: "House") -> None:
    await queued(house)
    ben: dict[str, Any] = {"contact_id": "ben", "channel": CHANNEL_VOICE}
    twice = [Attribute(key="vip", value="1"), Attribute(key="vip", value="2")]
    assert [
        await refused(house, "StartContact", contact_id="ada", channel=CHANNEL_VOICE),
        await refused(house, "StartContact", **ben, attributes=twice),
        await refused(house, "QueueContact", contact_id="ben", queue_id="sales"),
        await refused(house, "HoldContact", contact_id="ada", agent_id="grace"),
        await refused(house, "HangUpContact", contact_id="not/an/id"),
    ] == [
        (StatusCode.ALREADY_EXISTS, "CONTACT_EXISTS"),
        (StatusCode.INVALID_ARGUMENT, "ATTRIBUTE_REPEATED"),
        (StatusCode.NOT_FOUND, "CONTACT_UNKNOWN"),
        (StatusCode.FAILED_PRECONDITION, "WRONG_STATE"),
        (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    ]
    await house.call("StartContact", **ben)
    chats = QueueConfigured(queue_id="chats", waiting_max=1, channel=CHANNEL_CHAT, one_channel=True)
    await house.say(chats)
    assert [
        await refused(house, "QueueContact", contact_id="ben", queue_id="nowhere"),
        await refused(house, "QueueContact", contact_id="ben", queue_id="chats"),
        await refused(house, "QueueContact", contact_id="ben", queue_id="sales"),
    ] == [
        (StatusCode.NOT_FOUND, "QUEUE_UNKNOWN"),
        (StatusCode.FAILED_PRECONDITION, "WRONG_CHANNEL"),
        (StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
    ]
    with pytest.raises(RpcRefusedError, match="contact_id 'eve' is not known") as error:
        await house.contact("eve")
    assert error.value.status is StatusCode.NOT_FOUND


async def test_nobody_is_dialled_for_an_agent_who_is_gone(house: "House") -> None:
    """Agent-state's journal is read before routing's: the agent said yes, and signed off at once."""
    await house.say(QueueConfigured(queue_id="sales", waiting_max=1, callback_attempts=2))
    await house.call("StartContact", contact_id="ada", channel=CHANNEL_VOICE)
    await house.call("QueueContact", contact_id="ada", queue_id="sales")
    await house.call("RequestCallback", contact_id="ada", number="+41440000000")
    await house.say(AgentSignedOff(agent_id="grace"))
    await house.say(OfferCreated(**FIRST))
    await house.say(OfferAccepted(**FIRST))
    told = [one.type.removeprefix("huntgroup.session.") for one in await house.published()]
    assert "callback.dial-requested.v1" not in told
    begun = told.index("agent.left.v1")
    assert told[begun : begun + 4] == [
        "agent.left.v1",
        "contact.offered.v1",
        "contact.connection-failed.v1",
        "callback.scheduled.v1",
    ]


async def test_a_contact_completes_by_itself_when_nobody_reports(house: "House") -> None:
    await queued(house)
    await house.say(OfferAccepted(**FIRST))
    await house.call("HangUpContact", contact_id="ada")
    assert (await house.contact("ada")).state == "WRAPPING"
    disconnected = ContactDisconnected.FromString((await house.published())[-1].payload)
    await house.jump()
    assert house.clock.now_ms() == disconnected.completes_by_ms
    last = (await house.published())[-1]
    assert (last.type, last.causation_id) == ("huntgroup.session.contact.completed.v1", "")
    assert (await house.contact("ada")).state == "COMPLETED"


async def test_contacts_survive_the_process(houses: "Houses") -> None:
    async with houses() as house:
        await queued(house)
        await house.say(OfferCreated(**FIRST))
        before = await house.contact("ada")
    async with houses() as house:
        assert await house.contact("ada") == before
        await house.say(OfferAccepted(**FIRST))
        assert (await house.contact("ada")).state == "CONNECTED"
        assert [one.sequence for one in await house.published()] == [1, 2, 3, 4, 5]
