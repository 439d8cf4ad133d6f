"""Agents whose channels share, and groups that come to queues and go, played to the slow router, too."""

import pytest

from huntgroup_routing.core.blending import BlendRule, BlendTrigger
from huntgroup_routing.core.values import Channel, ServingGroup, Strategy

from .slow_people import REQUIREMENTS
from .test_against_slow_router import RINGING, play, serving


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(800, 810))
def test_channels_share_units_and_interrupt_each_other_as_a_slow_router_lets_them(
    seed: int,
) -> None:
    ringing = RINGING if seed % 2 else ()
    strategies = (*ringing, *(one for one in Strategy if one not in RINGING))
    if seed % 3 == 0:
        play(seed, strategies, 3, tuple(REQUIREMENTS), steps=True, rounds=1_200, shared=True)
    else:
        play(seed, strategies, sign_ons=3, rounds=1_200, by_hand=True, for_some=True, shared=True)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(1100, 1106))
def test_queues_take_their_channel_alone_as_a_slow_router_lets_them(seed: int) -> None:
    play(
        seed,
        (Strategy.LONGEST_IDLE, *(RINGING if seed % 2 else ())),
        overflow=True,
        channels=(None, None, Channel.VOICE, Channel.CHAT),
        for_some=seed % 3 == 0,
        callbacks=seed % 3 == 1,
        rounds=1_500,
    )


def at_length(group: str, enter: int, leave: int, dwell_ms: int, rank: int = 0) -> BlendRule:
    return BlendRule(
        group=group,
        trigger=BlendTrigger.QUEUE_LENGTH,
        enter=enter,
        leave=leave,
        dwell_ms=dwell_ms,
        rank=rank,
    )


SERVED_BY_SOMETIMES: tuple[tuple[tuple[ServingGroup, ...], tuple[BlendRule, ...]], ...] = (
    ((), ()),
    (serving(("", 0, 0, 0)), (at_length("night", 2, 0, 400),)),
    (serving(("", 1, 0, 0)), (at_length("day", 3, 1, 1_000),)),
    (serving(("day", 0, 2, 0), ("", 1, 0, 300)), (at_length("night", 1, 0, 100, rank=1),)),
    (serving(("night", 0, 0, 0)), (at_length("day", 4, 2, 5_000),)),
)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(900, 908))
def test_groups_come_and_go_as_a_slow_router_lets_them(seed: int) -> None:
    play(
        seed,
        (Strategy.LONGEST_IDLE, Strategy.LEAST_OCCUPIED),
        steps=seed % 2 == 0,
        policies=seed % 3 == 0,
        points=(0, 300),
        groups=[groups for groups, _ in SERVED_BY_SOMETIMES],
        blends=[blend for _, blend in SERVED_BY_SOMETIMES],
        callbacks=seed % 4 == 1,
        sign_ons=3,
        rounds=1_500,
    )
