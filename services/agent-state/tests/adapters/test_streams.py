"""Desktops: what they are told, what they must answer, and how their streams end."""

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from huntgroup.agent_state.v1 import commands_pb2, events_pb2
from huntgroup.agent_state.v1.commands_pb2 import AgentView, SlotView
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_agent_state.adapters.streams import DesktopStream
from huntgroup_agent_state.app.ports import CloseReason
from huntgroup_agent_state.core.messages import (
    AgentBecameBusy,
    AgentReleased,
    AgentReserved,
    AgentSignedOff,
    AgentSignedOn,
)
from huntgroup_agent_state.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    QueueId,
    ReleaseReason,
    SignOffReason,
)
from huntgroup_runtime.rpc.errors import from_rpc_error

if TYPE_CHECKING:
    from adapters.conftest import House, Houses

ADA = AgentId("ada")


def reserved(n: int = 1) -> AgentReserved:
    return AgentReserved(
        at_ms=1,
        agent_id=ADA,
        offer_id=OfferId(f"c{n}.1"),
        contact_id=ContactId(f"c{n}"),
        queue_id=QueueId("sales"),
        channel=Channel.VOICE,
        expires_at_ms=20_000,
        wrap_up_timeout_ms=0,
    )


def busy(n: int = 1) -> AgentBecameBusy:
    return AgentBecameBusy(
        at_ms=1, agent_id=ADA, offer_id=OfferId(f"c{n}.1"), contact_id=ContactId(f"c{n}")
    )


def released(n: int = 1) -> AgentReleased:
    return AgentReleased(
        at_ms=1,
        agent_id=ADA,
        offer_id=OfferId(f"c{n}.1"),
        contact_id=ContactId(f"c{n}"),
        reason=ReleaseReason.EXPIRED,
    )


def view(*phases: str) -> AgentView:
    """Return Ada with contact c1 in the first phase, c2 in the second, and so on."""
    slots = [
        SlotView(offer_id=f"c{n}.1", contact_id=f"c{n}", phase=phase, ends_at_ms=20_000)
        for n, phase in enumerate(phases, start=1)
    ]
    return AgentView(agent_id=ADA, slots=slots)


def told(stream: DesktopStream, view: AgentView | None = None) -> list[str]:
    """Return what is sent next: kinds of events, with the offer they are about."""
    lines = []
    for event in stream.take(view):
        kind = str(event.WhichOneof("event"))
        about = event.offer_presented.offer_id or event.offer_withdrawn.offer_id
        lines.append(f"{kind} {about}".strip())
    return lines


@pytest.fixture
async def stream() -> DesktopStream:
    """A stream that has sent its first view, of an idle agent."""
    stream = DesktopStream(ADA, backlog_max=4)
    assert told(stream, view()) == ["agent"]
    return stream


async def test_the_agent_comes_first_and_then_what_rings() -> None:
    stream = DesktopStream(ADA, backlog_max=4)
    assert told(stream, view("RINGING", "TALKING")) == ["agent", "offer_presented c1.1"]


async def test_what_happens_before_the_first_view_is_told_once() -> None:
    stream = DesktopStream(ADA, backlog_max=4)
    for event in (released(1), reserved(3), reserved(4), busy(4)):
        stream.notice(event)
    first = told(stream, view("RINGING", "RINGING", "RINGING", "RINGING"))
    assert first == ["agent", "offer_presented c2.1", "offer_presented c3.1"]
    stream.notice(released(2))
    assert told(stream) == ["offer_withdrawn c2.1"]


async def test_offers_are_told_in_order_and_the_agent_as_they_are_at_the_end(
    stream: DesktopStream,
) -> None:
    for event in (reserved(1), released(1), reserved(2)):
        stream.notice(event)
    stream.ask(1, 15_000)
    assert told(stream, view("TALKING", "RINGING")) == [
        "offer_presented c1.1",
        "offer_withdrawn c1.1",
        "offer_presented c2.1",
        "agent",
        "heartbeat_requested",
    ]


LEFT = AgentSignedOff(at_ms=1, agent_id=ADA, reason=SignOffReason.BY_AGENT)


async def test_what_rings_is_withdrawn_when_the_agent_leaves_and_not_once_more_when_released(
    stream: DesktopStream,
) -> None:
    for event in (reserved(1), reserved(2)):
        stream.notice(event)
    assert len(told(stream, view("RINGING", "RINGING"))) == 3
    stream.notice(LEFT)
    first, second, agent = stream.take(view("WITHDRAWN", "WITHDRAWN"))
    for n, withdrawn in ((1, first.offer_withdrawn), (2, second.offer_withdrawn)):
        assert (withdrawn.offer_id, withdrawn.contact_id) == (f"c{n}.1", f"c{n}")
        assert withdrawn.reason == events_pb2.RELEASE_REASON_AGENT_LEFT
    assert agent.WhichOneof("event") == "agent"
    stream.notice(released(1))
    stream.notice(busy(2))
    assert told(stream, view()) == ["agent"]


async def test_what_rang_before_the_agent_left_is_not_presented_after_they_came_back() -> None:
    stream = DesktopStream(ADA, backlog_max=4)
    assert told(stream, view("WITHDRAWN", "RINGING")) == ["agent", "offer_presented c2.1"]
    stream = DesktopStream(ADA, backlog_max=4)
    back = AgentSignedOn(at_ms=1, agent_id=ADA, skills=(), capacity=())
    for event in (LEFT, back, reserved(2)):
        stream.notice(event)
    # The view was read before they left.
    assert told(stream, view("RINGING")) == ["agent", "offer_presented c2.1"]


async def test_a_view_that_says_nothing_new_is_not_sent(stream: DesktopStream) -> None:
    stream.notice(reserved(1))
    assert told(stream, view("RINGING")) == ["offer_presented c1.1", "agent"]
    assert told(stream, view("RINGING")) == []


async def test_an_offer_that_was_connected_before_it_could_be_told_is_not_told(
    stream: DesktopStream,
) -> None:
    stream.notice(reserved(1))
    stream.notice(busy(1))
    assert told(stream, view("TALKING")) == ["agent"]
    stream.notice(released(1))
    assert told(stream, view()) == ["agent"]


async def test_only_the_latest_heartbeat_request_is_sent(stream: DesktopStream) -> None:
    stream.ask(1, 15_000)
    stream.ask(2, 5_000)
    (event,) = stream.take(None)
    assert event.heartbeat_requested.nonce == 2


async def test_offers_are_never_dropped_but_too_many_close_the_stream(
    stream: DesktopStream,
) -> None:
    closed = []
    for n in range(5):
        stream.notice(reserved(n))
        closed.append(stream.closed)
    assert closed == [None, None, None, None, CloseReason.SLOW_READER]
    (event,) = stream.take(None)
    assert event.closed.reason == "SLOW_READER"


IDS: dict[str, Any] = {"contact_id": "c1", "offer_id": "c1.1", "agent_id": "ada"}
OFFER = routing.OfferCreated(
    **IDS, queue_id="sales", channel=routing.CHANNEL_VOICE, expires_at_ms=1_020_000
)
CONNECTED = session.ContactConnected(**IDS, queue_id="sales", channel=session.CHANNEL_VOICE)


@pytest.mark.integration
async def test_a_desktop_is_told_of_state_and_offers_over_grpc(house: "House") -> None:
    async with house.desktop() as desktop:
        assert await desktop.next() == ["agent"]
        assert desktop.events[0].agent.state == "OFFLINE"
        await house.call("SignOn", agent_id="ada")
        assert (await desktop.until("agent")).agent.state == "NOT_READY"
        await house.call("SetPresence", agent_id="ada", presence=events_pb2.PRESENCE_READY)
        assert (await desktop.until("agent")).agent.state == "READY"
        await house.say(OFFER)
        assert await desktop.next() == ["offer_presented", "agent"]
        offer = desktop.events[0].offer_presented
        assert (offer.offer_id, offer.queue_id, offer.expires_at_ms) == (
            "c1.1",
            "sales",
            1_020_000,
        )
        assert desktop.events[1].agent.state == "RESERVED"
        await house.say(routing.OfferExpired(**IDS))
        assert await desktop.next() == ["offer_withdrawn", "agent"]
        withdrawn = desktop.events[0].offer_withdrawn
        assert withdrawn.reason == events_pb2.RELEASE_REASON_EXPIRED
        assert desktop.events[1].agent.state == "NOT_RESPONDING"


@pytest.mark.integration
async def test_a_desktop_is_told_at_sign_off_that_the_offer_is_gone(house: "House") -> None:
    await house.ready()
    await house.say(OFFER)
    async with house.desktop() as desktop:
        assert await desktop.next() == ["agent", "offer_presented"]
        await house.call("SignOff", agent_id="ada")
        assert await desktop.next() == ["offer_withdrawn", "agent"]
        withdrawn, agent = desktop.events[0].offer_withdrawn, desktop.events[1].agent
        assert withdrawn.reason == events_pb2.RELEASE_REASON_AGENT_LEFT
        assert (agent.state, agent.slots[0].phase) == ("OFFLINE", "WITHDRAWN")
        await house.say(routing.OfferRescinded(**IDS))
        assert await desktop.next() == ["agent"]
        assert not desktop.events[0].agent.slots


@pytest.mark.integration
async def test_a_desktop_that_opens_while_it_rings_is_told_of_the_offer(house: "House") -> None:
    await house.ready()
    await house.say(OFFER)
    async with house.desktop() as desktop:
        assert await desktop.next() == ["agent", "offer_presented"]
        await house.say(CONNECTED)
        assert await desktop.next() == ["agent"]
        assert desktop.events[0].agent.state == "BUSY"


@pytest.mark.integration
async def test_who_answers_heartbeats_stays_and_who_stops_is_signed_off(house: "House") -> None:
    await house.ready()
    async with house.desktop() as desktop:
        await desktop.next()
        for nonce in range(1, 6):
            while house.clock.now_ms() < 1_000_000 + nonce * 10_000:
                await house.jump()
            asked = (await desktop.until("heartbeat_requested")).heartbeat_requested
            assert (asked.nonce, asked.answer_within_ms) == (nonce, 15_000)
            await desktop.answer(nonce)
        while (await house.agent_state()) != "OFFLINE":
            await house.jump()
        assert house.clock.now_ms() == 1_075_000
        assert (await desktop.until("closed")).closed.reason == "DESKTOP_SILENT"
        assert await desktop.next() == []
        assert await desktop.call.code() == grpc.StatusCode.OK


@pytest.mark.integration
async def test_a_second_desktop_of_the_same_agent_closes_the_first(house: "House") -> None:
    async with house.desktop() as first:
        await first.next()
        async with house.desktop() as second:
            await second.next()
            assert (await first.until("closed")).closed.reason == "REPLACED"
            assert await first.next() == []
            await house.call("SignOn", agent_id="ada")
            assert (await second.until("agent")).agent.state == "NOT_READY"


@pytest.mark.integration
async def test_a_stream_that_does_not_begin_with_hello_is_refused(house: "House") -> None:
    call: Any = house.stub.OpenDesktop(timeout=5)
    heartbeat = commands_pb2.DesktopHeartbeat(nonce=1)
    await call.write(commands_pb2.OpenDesktopRequest(heartbeat=heartbeat))
    assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.integration
async def test_a_second_hello_closes_the_stream(house: "House") -> None:
    async with house.desktop() as desktop:
        await desktop.next()
        hello = commands_pb2.DesktopHello(domain="acme/emea", agent_id="bob")
        await desktop.say(commands_pb2.OpenDesktopRequest(hello=hello))
        assert (await desktop.until("closed")).closed.reason == "UNEXPECTED_MESSAGE"


@pytest.mark.integration
async def test_a_desktop_that_sends_its_last_message_is_let_go(house: "House") -> None:
    async with house.desktop() as desktop:
        await desktop.next()
        await desktop.call.done_writing()
        assert await desktop.next() == []
        assert await desktop.call.code() == grpc.StatusCode.OK


@pytest.mark.integration
async def test_a_message_that_breaks_a_rule_ends_the_stream_with_its_status(
    house: "House",
) -> None:
    async with house.desktop() as desktop:
        await desktop.next()
        hello = commands_pb2.DesktopHello(domain="acme/emea", agent_id="no spaces here")
        await desktop.say(commands_pb2.OpenDesktopRequest(hello=hello))
        assert await desktop.call.code() == grpc.StatusCode.INVALID_ARGUMENT


async def until_nothing_more_fits(house: "House") -> None:
    """Let so much happen to Ada that her desktop, which does not read, cannot be sent everything."""
    for n in range(100):  # each view is 3.5 kB
        fields: dict[str, Any] = {"presence": events_pb2.PRESENCE_NOT_READY, "reason": f"r{n}"}
        await house.call("SetPresence", agent_id="ada", **fields)
    await house.call("SetPresence", agent_id="ada", presence=events_pb2.PRESENCE_READY)
    for n in range(2):
        ids: dict[str, Any] = {"contact_id": f"c{n}", "offer_id": f"c{n}.1", "agent_id": "ada"}
        await house.say(routing.OfferCreated(**ids, channel=routing.CHANNEL_VOICE))
        await house.say(routing.OfferRejected(**ids))


@pytest.mark.integration
async def test_a_desktop_that_does_not_read_is_told_why_it_was_closed_once_it_does(
    houses: "Houses",
) -> None:
    async with houses(desktop_backlog_max=2) as house:
        skills = [f"{n:02}{'x' * 62}" for n in range(50)]
        await house.call("SignOn", agent_id="ada", skills=skills)
        async with house.desktop() as desktop:
            await desktop.next()
            await until_nothing_more_fits(house)
            assert (await desktop.until("closed")).closed.reason == "SLOW_READER"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await desktop.next()
            refused = from_rpc_error(caught.value)
            assert (refused.status, refused.reason) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "SLOW_READER",
            )
            assert refused.metadata == {
                "bound": "2 offers and withdrawals waited to be read",
                "setting": "HUNTGROUP_DESKTOP_BACKLOG_MAX",
                "position": "snapshot",
            }
            assert house.streams() == 0


@pytest.mark.integration
async def test_an_agent_whose_slow_desktop_was_cut_off_stays_signed_on_and_misses_nothing(
    houses: "Houses",
) -> None:
    async with houses(desktop_backlog_max=2) as house:
        skills = [f"{n:02}{'x' * 62}" for n in range(50)]
        await house.call("SignOn", agent_id="ada", skills=skills)
        async with house.desktop() as slow:
            await slow.next()
            await until_nothing_more_fits(house)
            ids: dict[str, Any] = {"contact_id": "c9", "offer_id": "c9.1", "agent_id": "ada"}
            await house.say(routing.OfferCreated(**ids, channel=routing.CHANNEL_VOICE))
            assert (await house.agent()).state == "RESERVED", "signed on, and it rings"
            async with house.desktop() as desktop:
                assert await desktop.next() == ["agent", "offer_presented"]
                assert desktop.events[1].offer_presented.offer_id == "c9.1"


@pytest.mark.integration
async def test_a_desktop_is_served_by_the_owner_whichever_replica_it_reaches(
    houses: "Houses",
) -> None:
    frame = {"replica_count": 2, "heartbeat_ms": 50, "takeover_after_ms": 300}
    async with houses(frame={**frame, "owner_id": "one"}) as owner:
        await owner.until_owned()
        second = houses(frame={**frame, "owner_id": "two", "replica_index": 1})
        async with second as other, other.desktop() as desktop:
            assert await desktop.next() == ["agent"]
            await other.call("SignOn", agent_id="ada")
            assert (await desktop.until("agent")).agent.state == "NOT_READY"
