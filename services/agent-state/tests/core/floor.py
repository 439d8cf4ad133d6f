"""One domain under test: a stand for the core, and short words for what happens to Ada."""

from huntgroup_agent_state.core.decide import decide
from huntgroup_agent_state.core.evolve import evolve
from huntgroup_agent_state.core.invariants import check
from huntgroup_agent_state.core.messages import (
    AgentFinishedWrapUp,
    AgentReleased,
    AgentWentNotReady,
    Command,
    CompleteWrapUp,
    Event,
    ObserveContactConnected,
    ObserveContactConnectionFailed,
    ObserveContactDisconnected,
    ObserveOfferCanceled,
    ObserveOfferCreated,
    ObserveOfferExpired,
    ObserveOfferRejected,
    ObserveOfferRescinded,
    OfferTurnedAway,
    Refused,
    SetPresence,
    SignOff,
    SignOn,
)
from huntgroup_agent_state.core.state import State, dump, initial
from huntgroup_agent_state.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    Presence,
    QueueId,
    ReleaseReason,
    RoutingState,
    TurnAwayReason,
    WrapUpEnd,
)

ADA = AgentId("ada")
WRAP_UP_MS = 30_000


class Floor:
    """One domain: takes commands at a time that only tests move, and folds what follows."""

    def __init__(self) -> None:
        self.state: State = initial("acme/emea")
        self.at_ms = 1_000

    def do(self, *commands: Command) -> tuple[Event, ...]:
        """Return what follows from the last command."""
        events: tuple[Event, ...] = ()
        for command in commands:
            before = dump(self.state)
            decided = decide(self.state, command, self.at_ms)
            assert dump(self.state) == before, "decide changed the state"
            assert not isinstance(decided, Refused), decided
            events = decided
            for event in events:
                self.state = evolve(self.state, event)
            check(self.state)
        return events

    def names(self, *commands: Command) -> list[str]:
        return [type(event).__name__ for event in self.do(*commands)]

    def refused(self, command: Command) -> Refused:
        before = dump(self.state)
        decided = decide(self.state, command, self.at_ms)
        assert isinstance(decided, Refused), decided
        assert dump(self.state) == before
        return decided

    def is_(self) -> RoutingState:
        agent = self.state.agents.get(ADA)
        return RoutingState.OFFLINE if agent is None else agent.routing_state

    def at(self, at_ms: int) -> "Floor":
        self.at_ms = at_ms
        return self


def presence(wanted: Presence, reason: str = "") -> SetPresence:
    return SetPresence(agent_id=ADA, presence=wanted, reason=reason)


LEAVING = SignOff(agent_id=ADA)
BACK = SignOn(agent_id=ADA)
BREAK = presence(Presence.NOT_READY, "break")


def offer(n: int = 1, channel: Channel = Channel.VOICE, wrap_up: int = WRAP_UP_MS) -> Command:
    return ObserveOfferCreated(
        offer_id=OfferId(f"c{n}.1"),
        contact_id=ContactId(f"c{n}"),
        agent_id=ADA,
        queue_id=QueueId("sales"),
        channel=channel,
        expires_at_ms=21_000,
        wrap_up_timeout_ms=wrap_up,
    )


def connected(n: int = 1, channel: Channel = Channel.VOICE) -> Command:
    return ObserveContactConnected(
        offer_id=OfferId(f"c{n}.1"),
        contact_id=ContactId(f"c{n}"),
        agent_id=ADA,
        queue_id=QueueId("sales"),
        channel=channel,
    )


def failed(n: int = 1) -> Command:
    return ObserveContactConnectionFailed(
        offer_id=OfferId(f"c{n}.1"), contact_id=ContactId(f"c{n}"), agent_id=ADA
    )


def disconnected(n: int = 1) -> Command:
    return ObserveContactDisconnected(
        offer_id=OfferId(f"c{n}.1"), contact_id=ContactId(f"c{n}"), agent_id=ADA
    )


def rejected(n: int = 1) -> Command:
    return ObserveOfferRejected(offer_id=OfferId(f"c{n}.1"))


def expired(n: int = 1) -> Command:
    return ObserveOfferExpired(offer_id=OfferId(f"c{n}.1"))


def canceled(n: int = 1) -> Command:
    return ObserveOfferCanceled(offer_id=OfferId(f"c{n}.1"))


def rescinded(n: int = 1) -> Command:
    return ObserveOfferRescinded(offer_id=OfferId(f"c{n}.1"))


def completed(n: int = 1) -> Command:
    return CompleteWrapUp(agent_id=ADA, contact_id=ContactId(f"c{n}"))


def released(reason: ReleaseReason, at_ms: int = 1_000, n: int = 1) -> AgentReleased:
    return AgentReleased(
        at_ms=at_ms,
        agent_id=ADA,
        offer_id=OfferId(f"c{n}.1"),
        contact_id=ContactId(f"c{n}"),
        reason=reason,
    )


def went_on_break(at_ms: int = 1_000) -> AgentWentNotReady:
    return AgentWentNotReady(at_ms=at_ms, agent_id=ADA, reason="break")


def finished(ended_by: WrapUpEnd, at_ms: int, wrap_up_ms: int) -> AgentFinishedWrapUp:
    return AgentFinishedWrapUp(
        at_ms=at_ms,
        agent_id=ADA,
        offer_id=OfferId("c1.1"),
        contact_id=ContactId("c1"),
        ended_by=ended_by,
        wrap_up_ms=wrap_up_ms,
    )


def turned_away(floor: Floor, n: int = 1, channel: Channel = Channel.VOICE) -> TurnAwayReason:
    (event,) = floor.do(offer(n, channel))
    assert isinstance(event, OfferTurnedAway)
    assert (event.offer_id, event.contact_id) == (f"c{n}.1", f"c{n}")
    assert floor.do(offer(n, channel)) == ()
    return event.reason
