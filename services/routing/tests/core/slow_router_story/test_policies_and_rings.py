"""Policies that change while contacts ring at several agents, and overflow to queues that may retire meanwhile."""

import pytest

from huntgroup_routing.core.values import Strategy

from .slow_people import REQUIREMENTS
from .test_against_slow_router import RINGING, SERVED_BY, play


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(900, 904))
def test_policies_change_while_contacts_ring_and_overflow_as_in_a_slow_router(seed: int) -> None:
    play(
        seed,
        (*RINGING, Strategy.LONGEST_IDLE),
        sign_ons=3,
        requirements=tuple(REQUIREMENTS),
        steps=seed % 2 == 0,
        policies=True,
        groups=SERVED_BY if seed % 3 == 0 else ((),),
        overflow=seed % 4 != 0,
        by_hand=True,
        rounds=1_000,
    )
