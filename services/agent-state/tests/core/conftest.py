"""Ada before anything happens: not there, ready, or with two chats."""

import pytest

from huntgroup_agent_state.core.messages import (
    SignOn,
)
from huntgroup_agent_state.core.values import (
    Channel,
    ChannelCapacity,
    Presence,
)

from .floor import ADA, Floor, presence


@pytest.fixture
def floor() -> Floor:
    """Nobody has signed on."""
    return Floor()


@pytest.fixture
def ready(floor: Floor) -> Floor:
    """Ada is signed on with one voice slot, and ready."""
    floor.do(SignOn(agent_id=ADA), presence(Presence.READY))
    return floor


@pytest.fixture
def chatting(floor: Floor) -> Floor:
    """Ada is signed on with two chat slots, and ready."""
    two = ChannelCapacity(channel=Channel.CHAT, slots=2)
    floor.do(SignOn(agent_id=ADA, capacity=(two,)), presence(Presence.READY))
    return floor
