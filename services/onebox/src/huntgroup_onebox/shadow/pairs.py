"""What is the same in the shadow as it was: decisions, and offers, though their numbers may differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Final

from msgspec.structs import replace

from huntgroup_routing.core.messages import (
    AcceptOffer,
    Command,
    ContactMoved,
    ContactReplanned,
    Event,
    ObserveAgentReleased,
    ObserveOfferTurnedAway,
    OfferCreated,
    RejectOffer,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import OfferId

OF_OFFER: Final = (AcceptOffer, RejectOffer, ObserveAgentReleased, ObserveOfferTurnedAway)


@dataclass(slots=True)
class Pairs:
    """Offers of the shadow and the same ones of the past."""

    _ours: dict[OfferId, OfferId] = field(default_factory=dict)
    _real: dict[OfferId, OfferId] = field(default_factory=dict)
    _told: set[OfferId] = field(default_factory=set)
    """Really made, as far as was told."""

    @classmethod
    def of(cls, state: State) -> "Pairs":
        """Return those of a shadow in which everything is as it was so far."""
        made = {offer_id for agent in state.agents.values() for offer_id in agent.held}
        made.update(state.offers, state.ended_offers)
        same = {offer_id: offer_id for offer_id in made}
        return cls(same, dict(same), made)

    def tell(self, real: OfferCreated, fresh: Iterable[OfferCreated]) -> OfferId | None:
        """Note an offer that was really made; return the same one of those made just now in the shadow, if one is."""
        self._told.add(real.offer_id)
        for one in fresh:
            if one.contact_id == real.contact_id and one.agent_id == real.agent_id:
                self._ours[real.offer_id] = one.offer_id
                self._real[one.offer_id] = real.offer_id
                return one.offer_id
        return None

    def ours(self, real_id: OfferId) -> OfferId | None:
        """Return the shadow's offer that is the same as one really made."""
        return self._ours.get(real_id)

    def has_none_like(self, real_id: OfferId) -> bool:
        """Return whether an offer that was really made, as was told, is none of the shadow's."""
        return real_id not in self._ours and real_id in self._told

    def real(self, offer_id: OfferId) -> OfferId | None:
        """Return the offer really made that is the same as one of the shadow."""
        return self._real.get(offer_id)

    def part(self, offer_id: OfferId) -> None:
        """Let what becomes of an offer of the shadow be its own from now on."""
        real_id = self._real.pop(offer_id, None)
        if real_id is not None:
            del self._ours[real_id]

    def translated(self, command: Command) -> Command | None:
        """Return a command about the shadow's offer instead of the real one; None when it has no such offer.

        A word about an offer that was never made ends doubt about an agent all the same.
        """
        if not isinstance(command, OF_OFFER):
            return command
        offer_id = self._ours.get(command.offer_id)
        if offer_id is None:
            return None if command.offer_id in self._told else command
        if isinstance(command, ObserveOfferTurnedAway):
            return ObserveOfferTurnedAway(agent_id=command.agent_id, offer_id=offer_id)
        return replace(command, offer_id=offer_id)


def is_as_it_was(ours: Sequence[Event], really: Sequence[Event]) -> bool:
    """Return whether two decisions are the same, whatever is said of why."""
    return len(ours) == len(really) and all(map(_is_same, ours, really))


def _is_same(one: Event, other: Event) -> bool:
    if one is other or one == other or is_same_offer(one, other):
        return True
    return type(one) is type(other) and _without_why(one) == _without_why(other)


def _without_why(event: Event) -> Event:
    """Return an event without what brought its contact to its step, which older journals do not tell."""
    match event:
        case ContactReplanned():
            return replace(event, trigger=None, limit=0, value=0)
        case ContactMoved():
            return replaced(event, step_trigger=None, step_limit=0, step_value=0)
        case _:
            return event


def is_same_offer(one: Event, other: Event) -> bool:
    """Return whether two are offers, and the same, whatever is said of why."""
    return (
        isinstance(one, OfferCreated)
        and isinstance(other, OfferCreated)
        and one.offer_id == other.offer_id
        and one.agent_id == other.agent_id
        and one.expires_at_ms == other.expires_at_ms
        and one.ring_target == other.ring_target
        and one.widens_at_ms == other.widens_at_ms
    )
