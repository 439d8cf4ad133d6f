"""The service as its clients see it: real gRPC on the loopback, a journal in memory, virtual time."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from huntgroup.agent_state.v1.commands_pb2 import ListAgentsRequest, SignOffRequest
from huntgroup.agent_state.v1.events_pb2 import (
    CHANNEL_CHAT,
    CHANNEL_UNSPECIFIED,
    CHANNEL_VOICE,
    PRESENCE_NOT_READY,
    PRESENCE_READY,
    AgentSignedOff,
    ChannelCapacity,
)
from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_contracts.registry import topic_journal
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.journal.replica import Replica
from huntgroup_eventlog.port import AppendFailedError, NewRecord
from huntgroup_runtime.rpc.errors import RpcRefusedError
from huntgroup_runtime.rpc.forwarding import HOPS

if TYPE_CHECKING:
    from adapters.conftest import House, Houses

pytestmark = pytest.mark.integration

IDS: dict[str, Any] = {"contact_id": "c1", "offer_id": "c1.1", "agent_id": "ada"}
OFFER = routing.OfferCreated(
    **IDS,
    queue_id="sales",
    channel=routing.CHANNEL_VOICE,
    expires_at_ms=1_020_000,
    wrap_up_timeout_ms=10_000,
)
CONNECTED = session.ContactConnected(**IDS, queue_id="sales", channel=session.CHANNEL_VOICE)
DISCONNECTED = session.ContactDisconnected(**IDS)


async def types_published(house: "House") -> list[str]:
    return [
        one.type.removeprefix("huntgroup.agent-state.").removesuffix(".v1")
        for one in await house.published()
    ]


async def test_an_agent_takes_a_contact_and_wraps_up_until_the_timer(house: "House") -> None:
    await house.ready()
    await house.say(OFFER)
    ringing = await house.agent()
    assert (ringing.state, ringing.slots[0].phase) == ("RESERVED", "RINGING")
    assert ringing.slots[0].ends_at_ms == 1_020_000
    await house.say(CONNECTED)
    assert (await house.agent()).state == "BUSY"
    await house.say(DISCONNECTED)
    wrapping = await house.agent()
    assert (wrapping.state, wrapping.slots[0].ends_at_ms) == ("WORKING_AFTER_CALL", 1_010_000)
    await house.jump()
    assert (await house.agent()).state == "READY"
    assert await types_published(house) == [
        "agent.signed-on",
        "agent.went-ready",
        "agent.reserved",
        "agent.became-busy",
        "agent.started-wrap-up",
        "agent.finished-wrap-up",
        "agent.released",
    ]


async def test_an_agent_completes_wrap_up_and_goes_on_the_break_they_asked_for(
    house: "House",
) -> None:
    await house.ready()
    for fact in (OFFER, CONNECTED, DISCONNECTED):
        await house.say(fact)
    await house.call("SetPresence", agent_id="ada", presence=PRESENCE_NOT_READY, reason="break")
    assert (await house.agent()).pending_reason == "break"
    await house.call("CompleteWrapUp", agent_id="ada", contact_id="c1")
    view = await house.agent()
    assert (view.state, view.not_ready_reason) == ("NOT_READY", "break")


async def test_agents_are_listed_in_the_order_of_their_ids_page_by_page(house: "House") -> None:
    for agent_id in ("cleo", "ada", "bob"):
        await house.call("SignOn", agent_id=agent_id)
    request = ListAgentsRequest(domain="acme/emea", page_size=2)
    first = await house.stub.ListAgents(request, timeout=5)
    assert [agent.agent_id for agent in first.agents] == ["ada", "bob"]
    request.after_agent_id = "bob"
    second = await house.stub.ListAgents(request, timeout=5)
    assert [agent.agent_id for agent in second.agents] == ["cleo"]
    nobody = await house.stub.ListAgents(ListAgentsRequest(domain="acme/apac"), timeout=5)
    assert list(nobody.agents) == []


async def test_capacity_and_skills_are_as_the_agent_said(house: "House") -> None:
    capacity = [ChannelCapacity(channel=CHANNEL_CHAT, slots=3)]
    await house.call("SignOn", agent_id="ada", skills=["german", "billing"], capacity=capacity)
    await house.call("SignOn", agent_id="bob")
    ada, bob = await house.agent("ada"), await house.agent("bob")
    assert (list(ada.skills), list(ada.capacity)) == (["billing", "german"], capacity)
    assert list(bob.capacity) == [ChannelCapacity(channel=CHANNEL_VOICE, slots=1)]


async def test_units_and_interruptions_are_shown_and_what_makes_no_sense_is_refused(
    house: "House",
) -> None:
    voice = ChannelCapacity(channel=CHANNEL_VOICE, slots=1, cost=3, interrupts=[CHANNEL_CHAT])
    chat = ChannelCapacity(channel=CHANNEL_CHAT, slots=3, cost=1)
    await house.call("SignOn", agent_id="ada", capacity=[voice, chat], capacity_units=3)
    ada = await house.agent("ada")
    assert (list(ada.capacity), ada.capacity_units) == ([voice, chat], 3)
    with pytest.raises(RpcRefusedError) as refused:
        await house.call("SignOn", agent_id="bob", capacity=[voice], capacity_units=2)
    assert (refused.value.status, refused.value.reason) == (
        StatusCode.INVALID_ARGUMENT,
        "CAPACITY_INVALID",
    )
    nothing = ChannelCapacity(channel=CHANNEL_VOICE, slots=1, interrupts=[CHANNEL_UNSPECIFIED])
    with pytest.raises(RpcRefusedError) as unread:
        await house.call("SignOn", agent_id="bob", capacity=[nothing])
    assert unread.value.status is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("rpc", "fields", "status", "reason"),
    [
        ("SignOn", {}, StatusCode.ALREADY_EXISTS, "ALREADY_SIGNED_ON"),
        (
            "SetPresence",
            {"agent_id": "bob", "presence": PRESENCE_READY},
            StatusCode.FAILED_PRECONDITION,
            "NOT_SIGNED_ON",
        ),
        (
            "SetPresence",
            {"presence": PRESENCE_NOT_READY},
            StatusCode.INVALID_ARGUMENT,
            "REASON_MISSING",
        ),
        ("SetPresence", {}, StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        ("CompleteWrapUp", {"contact_id": "c9"}, StatusCode.NOT_FOUND, "CONTACT_UNKNOWN"),
        (
            "SignOn",
            {"agent_id": "bob", "capacity": 2 * [ChannelCapacity(channel=CHANNEL_CHAT, slots=1)]},
            StatusCode.INVALID_ARGUMENT,
            "CAPACITY_INVALID",
        ),
    ],
)
async def test_a_refusal_says_why(
    house: "House", rpc: str, fields: dict[str, Any], status: StatusCode, reason: str
) -> None:
    await house.ready()
    with pytest.raises(RpcRefusedError) as refused:
        await house.call(rpc, **{"agent_id": "ada", **fields})
    assert (refused.value.status, refused.value.reason) == (status, reason)


async def test_who_is_not_signed_on_is_not_found(house: "House") -> None:
    with pytest.raises(RpcRefusedError) as refused:
        await house.agent("nobody")
    assert (refused.value.status, refused.value.reason) == (StatusCode.NOT_FOUND, "AGENT_UNKNOWN")


async def test_who_signs_off_is_not_found_only_once_that_is_sure(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.call("SignOn", agent_id="ada")
    signed_off, asked = asyncio.Event(), asyncio.Event()
    append, query = MemoryLog.append, Replica.query

    async def lose_one(log: MemoryLog, topic: str, partition: int, record: NewRecord) -> int:
        if signed_off.is_set() or topic != topic_journal("agent-state"):
            return await append(log, topic, partition, record)
        signed_off.set()
        await asked.wait()
        raise AppendFailedError("the batch that signs ada off is lost")

    def query_and_tell(*args: Any) -> None:
        try:
            query(*args)
        finally:
            asked.set()

    monkeypatch.setattr(MemoryLog, "append", lose_one)
    monkeypatch.setattr(Replica, "query", query_and_tell)
    sign_off = SignOffRequest(
        context=CommandContext(domain="acme/emea", command_id="off-1"), agent_id="ada"
    )
    # One that was forwarded is not tried again where it comes to.
    once = house.stub.SignOff(sign_off, timeout=5, metadata=[(HOPS, "1")])
    signing_off = asyncio.ensure_future(once)
    await signed_off.wait()
    assert (await house.agent()).state == "NOT_READY"
    with pytest.raises(AioRpcError):
        await signing_off


async def test_a_repeated_command_has_one_effect(house: "House") -> None:
    first = await house.call("SignOn", "on-1", agent_id="ada")
    again = await house.call("SignOn", "on-1", agent_id="ada")
    assert (first.receipt.repeated, again.receipt.repeated) == (False, True)
    assert first.receipt.position == again.receipt.position
    assert await types_published(house) == ["agent.signed-on"]


async def test_everything_is_there_again_after_a_restart(houses: "Houses") -> None:
    async with houses() as house:
        await house.ready()
        for fact in (OFFER, CONNECTED, DISCONNECTED):
            await house.say(fact)
        before = await house.agent()
    async with houses() as house:
        assert await house.agent() == before
        await house.jump()
        assert (await house.agent()).state == "READY"


async def test_an_agent_without_any_desktop_is_signed_off_when_the_lease_is_over(
    house: "House",
) -> None:
    await house.ready()
    await house.jump()
    last = (await house.published())[-1]
    assert last.time_ms == 1_025_000
    assert AgentSignedOff.FromString(last.payload).reason == 2
