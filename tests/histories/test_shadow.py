"""A shadow with the same policy does exactly what was done, offer by offer, in every stored history."""

from collections.abc import Sequence
from itertools import chain

import pytest

from huntgroup.journal.v1.journal_pb2 import JournalEntry
from huntgroup_onebox.shadow.difference import ALL, differences
from huntgroup_onebox.shadow.past import Past
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_onebox.shadow_command import decisions_of
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.messages import Event, OfferCreated, Refused

from .history import names, read_commands, read_journal

DOMAIN = "histories/kept"


def decided(history: str) -> list[tuple[Event, ...]]:
    """Return the decisions that follow from what was told."""
    core, decisions, last_ms = RoutingCore(), list[tuple[Event, ...]](), 0
    state = core.initial(DOMAIN)
    for at_ms, command in read_commands(history):
        last_ms = max(last_ms, at_ms)
        decision = core.decide(state, command, last_ms)
        if isinstance(decision, Refused) or not decision:
            continue
        for event in decision:
            state = core.evolve(state, event)
        decisions.append(decision)
    return decisions


def recorded(history: str) -> list[list[Event]]:
    """Return the decisions that a journal tells."""
    decisions, codec = list[list[Event]](), event_codec()
    for value in read_journal(history):
        entry = JournalEntry.FromString(value)
        decisions += decisions_of(entry.batch.events, codec)
    return decisions


@pytest.mark.parametrize("history", names(".commands.jsonl.gz"))
def test_with_the_same_policy_nothing_is_different(history: str) -> None:
    assert_nothing_is_different(decided(history))


@pytest.mark.parametrize("history", names(".routing.journal.gz"))
def test_a_journal_tells_enough_for_that(history: str) -> None:
    assert_nothing_is_different(recorded(history))


def assert_nothing_is_different(decisions: Sequence[Sequence[Event]]) -> None:
    past = Past()
    for decision in decisions:
        past.take(decision)
    shadow = Shadow(DOMAIN, past, {})
    for decision in decisions:
        shadow.take(decision)
    offers = sum(isinstance(event, OfferCreated) for event in chain(*decisions))
    assert offers > 0
    assert shadow.offers == shadow.same == offers
    found = differences(shadow)[ALL]
    assert (found.other_agent, found.only_really, found.only_in_shadow) == (0, 0, 0)
    assert found.real == found.shadow
