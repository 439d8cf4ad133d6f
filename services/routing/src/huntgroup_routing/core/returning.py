"""How contacts whose offers failed go back to their places, and are offered anew."""

from collections import defaultdict

from huntgroup_routing.core.messages import ContactRequeued, Event, OfferRescinded
from huntgroup_routing.core.preferring import awaits_still
from huntgroup_routing.core.ranking import Matching
from huntgroup_routing.core.ringing import others_ringing
from huntgroup_routing.core.state import Contact, Offer, State
from huntgroup_routing.core.values import ContactId, OfferId, Place, RescindReason


def rescinded(
    state: State, offers: list[Offer], reason: RescindReason, at_ms: int
) -> list[OfferRescinded]:
    """Return that offers are taken back."""
    return [
        OfferRescinded(
            at_ms=at_ms,
            offer_id=offer.offer_id,
            contact_id=offer.contact_id,
            agent_id=offer.agent_id,
            queue_id=offer.queue_id,
            reason=reason,
            ring_ms=at_ms - offer.created_at_ms,
            others_ringing=others,
        )
        for offer, others in zip(offers, others_ringing(state, offers), strict=True)
    ]


def requeue(state: State, offers: list[Offer], at_ms: int) -> tuple[Event, ...]:
    """Put the contacts of failed offers back and offer them, in the order of their places, to other idle agents.

    A contact that rings on at others stays; it may ring at somebody else instead.
    """
    over: defaultdict[ContactId, list[OfferId]] = defaultdict(list)
    for offer in offers:
        over[offer.contact_id].append(offer.offer_id)
    last = {offer.contact_id: offer for offer in offers}
    contacts = sorted((state.contacts[contact_id] for contact_id in over), key=_place)
    rings_on = {
        contact.contact_id
        for contact in contacts
        if contact.ring is not None and len(contact.ring.offers) > len(over[contact.contact_id])
    }
    awaited = {
        contact.contact_id: awaits_still(state, contact, offers, at_ms)
        for contact in contacts
        if contact.contact_id not in rings_on
    }
    events: list[Event] = [
        ContactRequeued(
            at_ms=at_ms,
            contact_id=offer.contact_id,
            queue_id=offer.queue_id,
            offer_id=offer.offer_id,
            awaited_agents=awaited[offer.contact_id].agents,
            awaited_until_ms=awaited[offer.contact_id].until_ms,
            direct=awaited[offer.contact_id].direct,
        )
        for offer in last.values()
        if offer.contact_id not in rings_on
    ]
    without = [offer.agent_id for offer in offers]
    matching = Matching(state, at_ms, without, said=len(offers) + len(events))
    if not rings_on and not any(one.agents for one in awaited.values()):
        return (*events, *matching.offer_together([(contact, None) for contact in contacts]))
    for contact in contacts:
        if contact.contact_id in rings_on:
            events += matching.ring_on(contact, over[contact.contact_id])
        elif awaited[contact.contact_id].agents:
            events += matching.offer_to_own(contact)
        else:
            events += matching.offer(contact)
    return tuple(events)


def _place(contact: Contact) -> Place:
    return contact.place
