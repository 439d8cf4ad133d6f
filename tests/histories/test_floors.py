"""Each stored history still shows what it is kept for, under the rules of today."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace as replaced
from typing import Final

import pytest
from msgspec.structs import replace

from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.messages import (
    ConfigureQueue,
    Event,
    OfferCreated,
    QueueConfigured,
    Refused,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import Channel

from .history import DOMAIN, FROM_BEFORE_CHANNELS_KEPT_OUT, names, read_commands
from .test_shadow import decided

FLOORS: Final[Mapping[str, Mapping[str, int]]] = {
    "routing-everything": {
        "OfferCreated VOICE": 25,
        "OfferCreated CHAT": 23,
        "OfferAccepted": 4,
        "OfferExpired": 24,
        "OfferRescinded": 12,
        "OfferRejected": 2,
        "OfferCanceled": 1,
        "ContactStepped": 95,
        "ContactMoved": 95,
        "ContactKept": 4,
        "ContactReplanned": 45,
        "ContactReprioritized": 4,
        "PreferenceLapsed": 6,
        "QueueClosed": 4,
        "QueueOpened": 2,
        "PolicyApplied": 8,
        "QueueRetired": 7,
    },
    "routing-random-commands": {
        "OfferCreated VOICE": 88,
        "OfferCreated CHAT": 134,
        "OfferAccepted": 24,
        "OfferExpired": 105,
        "OfferRescinded": 75,
        "OfferRejected": 14,
        "OfferCanceled": 1,
    },
    "routing-random-strategies": {
        "OfferCreated VOICE": 140,
        "OfferCreated CHAT": 77,
        "OfferAccepted": 50,
        "OfferExpired": 46,
        "OfferRescinded": 100,
        "OfferRejected": 19,
        "OfferCanceled": 2,
    },
    "routing-rings-overflow-policies": {
        "OfferCreated VOICE": 460,
        "OfferAccepted": 360,
        "RingWidened": 85,
        "OfferExpired": 46,
        "OfferRescinded": 44,
        "OfferCanceled": 9,
        "ContactStepped": 105,
        "ContactMoved": 62,
        "ContactReplanned": 3,
        "PolicyApplied": 2,
    },
    "routing-shared-agents": {
        "OfferCreated VOICE": 80,
        "OfferCreated CHAT": 46,
        "interruptions": 42,
        "OfferAccepted": 15,
        "OfferExpired": 52,
        "OfferRescinded": 49,
        "OfferRejected": 6,
    },
    "routing-weekday-morning": {"OfferCreated VOICE": 120, "OfferAccepted": 120},
}
"""By history, how much of what it shows must be in it at least: about two thirds of what was, when this was written."""


def seen(history: str) -> Counter[str]:
    """Count kinds of events, offers by channel, and those at agents who hold what the offered contact interrupts."""
    core, found = RoutingCore(), Counter[str]()
    state = core.initial(DOMAIN)
    for decision in decided(history):
        for event in decision:
            found[type(event).__name__] += 1
            if isinstance(event, OfferCreated):
                found[f"OfferCreated {event.channel}"] += 1
                found["interruptions"] += interrupts(state, event)
            state = core.evolve(state, event)
    return found


def interrupts(state: State, offer: OfferCreated) -> bool:
    """Return whether an agent is offered a contact who holds one that it interrupts."""
    agent = state.agents[offer.agent_id]
    over = () if agent.concurrency is None else agent.concurrency.load(offer.channel).interrupts
    return any(held in over for held in agent.held.values())


@pytest.mark.parametrize("history", names(".commands.jsonl.gz"))
def test_a_history_has_not_lost_its_point(history: str) -> None:
    found, floors = seen(history), FLOORS[history.split(".", maxsplit=1)[0]]
    assert {name: found[name] for name in floors if found[name] < floors[name]} == {}


def offers(history: str, *, older: bool) -> list[tuple[str, str, int]]:
    """Decide with queues without a channel, or with queues for VOICE as older journals tell of them."""
    core, made, last_ms = RoutingCore(), list[tuple[str, str, int]](), 0
    state = core.initial(DOMAIN)
    for at_ms, told in read_commands(history):
        command, last_ms = told, max(last_ms, at_ms)
        if older and isinstance(command, ConfigureQueue):
            command = replaced(command, channel=Channel.VOICE)
        decision = core.decide(state, command, last_ms)
        for event in () if isinstance(decision, Refused) else decision:
            state = core.evolve(state, as_of_old(event) if older else event)
            if isinstance(event, OfferCreated):
                made.append((event.offer_id, event.agent_id, event.at_ms))
    return made


def as_of_old(event: Event) -> Event:
    return replace(event, one_channel=False) if isinstance(event, QueueConfigured) else event


@pytest.mark.parametrize("name", ["random-commands", "random-strategies", "shared-agents"])
def test_a_queue_of_an_older_journal_does_what_one_without_a_channel_does(name: str) -> None:
    history = f"routing-{name}.commands.jsonl.gz"
    assert history in FROM_BEFORE_CHANNELS_KEPT_OUT
    made = offers(history, older=False)
    assert made
    assert made == offers(history, older=True)
