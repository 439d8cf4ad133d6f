"""Agents whose channels share and whose queues have ranks and shares: played to the slow router, too."""

import pytest

from huntgroup_routing.core.values import Strategy

from .test_against_slow_router import SERVED_BY, play


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(1000, 1004))
def test_ranks_hold_between_channels_that_share_as_a_slow_router_sees_them(seed: int) -> None:
    play(
        seed,
        (Strategy.LONGEST_IDLE,),
        points=(0, 300) if seed % 2 else (0,),
        groups=SERVED_BY,
        sign_ons=3,
        rounds=1_200,
        shared=True,
    )
