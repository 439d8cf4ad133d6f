"""A shadow with the same policy does exactly what was done, offer by offer, in every stored history."""

import pytest

from huntgroup_onebox.shadow.difference import ALL, differences
from huntgroup_onebox.shadow.past import Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.messages import Event, OfferCreated, Refused

from .history import names, read_commands

DOMAIN = "histories/kept"
NOT_PROVED = ("routing-everything.commands.jsonl.gz",)
"""Contacts for certain agents, taken by hand, moved and overflowing all at once: the journal does not tell enough."""


def decided(history: str) -> list[Event]:
    """Return the events that follow from what was told."""
    core, events, last_ms = RoutingCore(), list[Event](), 0
    state = core.initial(DOMAIN)
    for at_ms, command in read_commands(history):
        last_ms = max(last_ms, at_ms)
        decision = core.decide(state, command, last_ms)
        for event in () if isinstance(decision, Refused) else decision:
            state = core.evolve(state, event)
            events.append(event)
    return events


@pytest.mark.parametrize(
    "history", [one for one in names(".commands.jsonl.gz") if one not in NOT_PROVED]
)
def test_with_the_same_policy_nothing_is_different(history: str) -> None:
    past, events = Past(), decided(history)
    for event in events:
        past.take(event)
    shadow = Shadow(DOMAIN, past, {})
    for event in events:
        shadow.take(event)
    offers = sum(isinstance(event, OfferCreated) for event in events)
    assert offers > 0
    assert shadow.offers == shadow.same == offers
    found = differences(shadow)[ALL]
    assert (found.other_agent, found.only_really, found.only_in_shadow) == (0, 0, 0)
    assert found.real == found.shadow
