"""Two replicas: a stream may come to either, and goes on at the other when its owner leaves."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import grpc
import pytest

if TYPE_CHECKING:
    from services.recording.tests.adapters.conftest import Studio

pytestmark = pytest.mark.integration

DOMAIN = "acme/emea"
SESSION, RECORDING = 0, 1


def owns(studio: "Studio", service: int) -> bool:
    return studio.process.journals[service].owns(DOMAIN)


async def test_a_stream_is_carried_to_the_owner_and_goes_on_at_the_next_one(
    replicas: Callable[[int], Any],
) -> None:
    async with AsyncExitStack() as first_open, AsyncExitStack() as second_open:
        first: Studio = await first_open.enter_async_context(replicas(0))
        second: Studio = await second_open.enter_async_context(replicas(1))
        await first.until(
            lambda: owns(first, RECORDING) != owns(second, RECORDING), "one owner of recordings"
        )
        opened = {True: (first, first_open), False: (second, second_open)}
        owner, owner_open = opened[owns(first, RECORDING)]
        other, _ = opened[not owns(first, RECORDING)]
        await other.record()
        speaker = owner if owns(owner, SESSION) else other
        await speaker.connect("ada")
        caller = other.caller("ada")
        await caller.speak(0, 1_700)
        await owner.settled(caller)
        assert owner.live.find(DOMAIN, "ada")
        assert not other.live.find(DOMAIN, "ada")

        await owner_open.aclose()
        assert (await caller.fails()).code() is grpc.StatusCode.UNAVAILABLE
        await other.until(lambda: owns(other, RECORDING) and owns(other, SESSION), "taken over")
        caller = other.caller("ada")
        await caller.speak(3_000, 4_000)
        await caller.finish()
        await other.part("ada", 4_000)
        sealed = await other.sealed("ada")
        assert (sealed.segments, sealed.duration_ms) == (2, 4_000)
        assert other.gaps() == [(1_700, 3_000, "RECORDER_LOST")]
        sound = await other.sound("ada")
        assert sound.is_tone(0, 1_700)
        assert sound.is_tone(3_000, 4_000)
