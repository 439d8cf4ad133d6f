"""Who leaves, and facts that cross their leaving or each other, told as given, when, then."""

import pytest

from huntgroup_agent_state.core.messages import (
    AgentSignedOff,
    Command,
    OfferOvertaken,
    ReportDesktopSilent,
    SignOff,
    SignOn,
)
from huntgroup_agent_state.core.state import next_deadline
from huntgroup_agent_state.core.values import (
    Channel,
    ChannelCapacity,
    ContactId,
    OfferId,
    Overtaking,
    Presence,
    ReleaseReason,
    RoutingState,
    SignOffReason,
    SlotPhase,
    TurnAwayReason,
    WrapUpEnd,
)

from .floor import (
    ADA,
    BACK,
    BREAK,
    LEAVING,
    Floor,
    canceled,
    completed,
    connected,
    disconnected,
    expired,
    failed,
    finished,
    offer,
    presence,
    rejected,
    released,
    rescinded,
    turned_away,
)

# Signing off.


def test_who_leaves_while_it_rings_is_released_when_routing_took_the_offer_back(
    ready: Floor,
) -> None:
    left = AgentSignedOff(at_ms=1_000, agent_id=ADA, reason=SignOffReason.BY_AGENT)
    assert ready.do(offer(), LEAVING) == (left,)
    assert ready.is_() is RoutingState.OFFLINE
    assert ready.state.slots[OfferId("c1.1")].phase is SlotPhase.WITHDRAWN
    assert ready.do(LEAVING) == ()
    assert ready.do(rescinded()) == (released(ReleaseReason.AGENT_LEFT),)
    assert ready.do(rescinded()) == ()
    assert ready.state.agents == {}


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (rescinded(), ReleaseReason.AGENT_LEFT),
        (rejected(), ReleaseReason.REJECTED),
        (canceled(), ReleaseReason.CUSTOMER_LEFT),
        (failed(), ReleaseReason.CONNECTION_FAILED),
        (expired(), ReleaseReason.EXPIRED),
    ],
)
@pytest.mark.parametrize("then", [(), (BACK,)])
def test_a_slot_withdrawn_ends_with_the_offer_and_nobody_missed_it(
    ready: Floor, ending: Command, reason: ReleaseReason, then: tuple[Command, ...]
) -> None:
    ready.do(offer(), LEAVING, *then)
    assert ready.do(ending) == (released(reason),)
    assert ready.do(ending) == ()
    assert ready.is_() is (RoutingState.NOT_READY if then else RoutingState.OFFLINE)


def test_a_yes_said_before_leaving_is_honoured_and_ends_without_after_call_work(
    ready: Floor,
) -> None:
    ready.do(offer(), LEAVING)
    assert ready.names(connected()) == ["AgentBecameBusy"]
    assert ready.is_() is RoutingState.OFFLINE
    assert ready.names(disconnected()) == ["AgentFinishedWrapUp", "AgentReleased"]
    assert ready.state.agents == {}


def test_who_says_yes_leaves_and_comes_back_never_has_two_contacts_on_one_slot(
    ready: Floor,
) -> None:
    """Routing accepted the first offer before it heard of the leaving; its connection is seen last."""
    ready.do(offer(1), LEAVING, BACK)
    assert ready.is_() is RoutingState.RESERVED
    assert ready.names(presence(Presence.READY)) == ["AgentAskedForPresence"]
    assert turned_away(ready, 2) is TurnAwayReason.NOT_READY
    assert ready.names(connected(1)) == ["AgentBecameBusy"]
    assert list(ready.state.slots) == ["c1.1"]
    ready.do(disconnected(1))
    assert ready.names(completed(1))[1:] == ["AgentWentReady", "AgentReleased"]
    assert ready.names(offer(3), connected(3)) == ["AgentBecameBusy"]
    assert list(ready.state.slots) == ["c3.1"]


def test_who_comes_back_with_a_slot_more_gets_one_contact_beside_the_one_withdrawn(
    chatting: Floor,
) -> None:
    two = ChannelCapacity(channel=Channel.CHAT, slots=2)
    again = SignOn(agent_id=ADA, capacity=(two,))
    chatting.do(offer(1, Channel.CHAT), LEAVING, again, presence(Presence.READY))
    assert chatting.names(offer(2, Channel.CHAT)) == ["AgentReserved"]
    assert turned_away(chatting, 3, Channel.CHAT) is TurnAwayReason.NO_CAPACITY
    assert chatting.names(connected(1, Channel.CHAT)) == ["AgentBecameBusy"]


def test_leaving_again_changes_nothing_about_a_slot_withdrawn(ready: Floor) -> None:
    assert ready.names(offer(), LEAVING, BACK, LEAVING) == ["AgentSignedOff"]
    assert ready.do(rescinded()) == (released(ReleaseReason.AGENT_LEFT),)
    assert ready.state.agents == {}


def test_after_call_work_of_a_slot_withdrawn_cannot_be_completed(ready: Floor) -> None:
    ready.do(offer(), LEAVING)
    assert "WITHDRAWN" in ready.refused(completed()).detail


def test_who_leaves_while_wrapping_up_has_finished(ready: Floor) -> None:
    ready.do(offer(), connected(), disconnected())
    events = ready.at(4_000).do(SignOff(agent_id=ADA))
    assert events[1:] == (
        finished(WrapUpEnd.AGENT_LEFT, 4_000, 3_000),
        released(ReleaseReason.AGENT_LEFT, 4_000),
    )
    assert next_deadline(ready.state) is None


def test_who_leaves_while_talking_talks_to_the_end_and_has_no_after_call_work(ready: Floor) -> None:
    ready.do(offer(), connected())
    assert ready.names(SignOff(agent_id=ADA)) == ["AgentSignedOff"]
    assert ready.is_() is RoutingState.OFFLINE
    assert ready.do(disconnected()) == (
        finished(WrapUpEnd.AGENT_LEFT, 1_000, 0),
        released(ReleaseReason.AGENT_LEFT),
    )
    assert ready.state.agents == {}


def test_who_signs_on_again_while_still_talking_has_that_slot_taken(ready: Floor) -> None:
    ready.do(offer(), connected(), LEAVING, BACK)
    assert ready.is_() is RoutingState.BUSY
    assert ready.names(presence(Presence.READY)) == ["AgentAskedForPresence"]
    ready.do(disconnected())
    assert ready.names(completed())[1:] == ["AgentWentReady", "AgentReleased"]


def test_a_silent_desktop_signs_its_agent_off(ready: Floor) -> None:
    events = ready.do(offer(), ReportDesktopSilent(agent_id=ADA, signed_on_at_ms=1_000))
    assert events == (
        AgentSignedOff(at_ms=1_000, agent_id=ADA, reason=SignOffReason.DESKTOP_SILENT),
    )
    assert ready.do(rescinded()) == (released(ReleaseReason.AGENT_LEFT),)
    assert ready.do(ReportDesktopSilent(agent_id=ADA, signed_on_at_ms=1_000)) == ()


def test_a_late_word_of_a_silent_desktop_does_not_touch_who_signed_on_anew(ready: Floor) -> None:
    ready.do(SignOff(agent_id=ADA))
    ready.at(2_000).do(SignOn(agent_id=ADA))
    assert ready.do(ReportDesktopSilent(agent_id=ADA, signed_on_at_ms=1_000)) == ()


# Facts of the session that are seen before those of routing that they rest on.


def test_a_conversation_seen_before_its_offer_makes_busy_once_the_offer_is_seen(
    ready: Floor,
) -> None:
    assert ready.do(connected()) == (
        OfferOvertaken(
            at_ms=1_000,
            agent_id=ADA,
            offer_id=OfferId("c1.1"),
            contact_id=ContactId("c1"),
            overtaking=Overtaking.CONNECTED,
        ),
    )
    assert ready.do(connected()) == ()
    assert ready.names(offer()) == ["AgentReserved", "AgentBecameBusy"]
    assert ready.names(disconnected()) == ["AgentStartedWrapUp"]


def test_a_whole_conversation_seen_before_its_offer_still_gets_its_after_call_work(
    ready: Floor,
) -> None:
    assert ready.names(connected(), disconnected()) == ["OfferOvertaken"]
    assert ready.names(offer()) == ["AgentReserved", "AgentBecameBusy", "AgentStartedWrapUp"]
    assert ready.state.overtaken == {}


def test_a_failed_connection_seen_before_its_offer_releases_once_the_offer_is_seen(
    ready: Floor,
) -> None:
    assert ready.names(failed()) == ["OfferOvertaken"]
    assert ready.names(offer()) == ["AgentReserved", "AgentReleased"]
    assert ready.is_() is RoutingState.READY


def test_who_left_before_an_overtaken_offer_is_seen_still_talks_to_the_end(ready: Floor) -> None:
    ready.do(connected(), SignOff(agent_id=ADA))
    assert ready.names(offer()) == ["AgentReserved", "AgentBecameBusy"]
    assert ready.names(disconnected()) == ["AgentFinishedWrapUp", "AgentReleased"]
    assert ready.state.agents == {}


@pytest.mark.parametrize("leaving", [LEAVING, BREAK])
def test_a_yes_to_an_offer_that_was_turned_away_is_honoured(ready: Floor, leaving: Command) -> None:
    """Routing took the yes before it heard of the leaving; agent state heard of both the other way round."""
    ready.do(leaving, offer())
    assert ready.names(connected()) == ["AgentReserved", "AgentBecameBusy"]
    assert ready.names(disconnected()) == ["AgentFinishedWrapUp", "AgentReleased"]
    assert ready.do(connected()) == ()


def test_a_failed_connection_of_an_offer_that_is_over_is_of_no_concern(ready: Floor) -> None:
    assert ready.do(offer(), LEAVING, rescinded(), failed()) == ()
    assert ready.do(disconnected()) == ()
