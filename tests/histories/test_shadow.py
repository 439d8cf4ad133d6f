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
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    Command,
    ConfigureQueue,
    Event,
    OfferCreated,
    QueueConfigured,
    Refused,
    RollBackPolicy,
)
from huntgroup_routing.core.policy import command_of
from huntgroup_routing.core.values import QueueId

from .history import DOMAIN, names, read_commands, read_journal

Policy = dict[QueueId, ConfigureQueue]


def decided(history: str, policy: Policy | None = None) -> list[tuple[Event, ...]]:
    """Return the decisions that follow from what was told.

    A `policy` is filled with how each queue was made; all changes of it are left out then.
    """
    core, decisions, last_ms = RoutingCore(), list[tuple[Event, ...]](), 0
    state = core.initial(DOMAIN)
    for at_ms, command in read_commands(history):
        last_ms = max(last_ms, at_ms)
        if policy is not None and changes(command, policy):
            continue
        decision = core.decide(state, command, last_ms)
        if isinstance(decision, Refused) or not decision:
            continue
        for event in decision:
            state = core.evolve(state, event)
        decisions.append(decision)
        if policy is not None and isinstance(command, ConfigureQueue):
            policy[command.queue_id] = command
    return decisions


def changes(command: Command, policy: Policy) -> bool:
    """Return whether a command changes a policy, and is more than a queue that is made."""
    if isinstance(command, ConfigureQueue):
        return command.queue_id in policy
    return isinstance(command, ApplyPolicy | RollBackPolicy)


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


@pytest.mark.parametrize("history", names(".commands.jsonl.gz"))
def test_nor_with_a_policy_that_says_of_each_queue_what_it_was(history: str) -> None:
    policy = Policy()
    decisions = decided(history, policy)
    assert policy
    assert_nothing_is_different(decisions, policy)


@pytest.mark.parametrize("history", names(".routing.journal.gz"))
def test_a_journal_tells_enough_for_that(history: str) -> None:
    decisions = recorded(history)
    assert_nothing_is_different(decisions)
    made = [one for one in chain(*decisions) if isinstance(one, QueueConfigured)]
    policy = {one.queue_id: command_of(one) for one in made}
    assert len(policy) == len(made), "its policy never changes"
    assert_nothing_is_different(decisions, policy)


def assert_nothing_is_different(
    decisions: Sequence[Sequence[Event]], policy: Policy | None = None
) -> None:
    past = Past()
    for decision in decisions:
        past.take(decision)
    shadow = Shadow(DOMAIN, past, policy or {})
    for decision in decisions:
        shadow.take(decision)
    assert not shadow.refused
    offers = sum(isinstance(event, OfferCreated) for event in chain(*decisions))
    assert offers > 0
    assert shadow.offers == shadow.same == offers
    found = differences(shadow)[ALL]
    assert (found.other_agent, found.only_really, found.only_in_shadow) == (0, 0, 0)
    assert found.real == found.shadow
