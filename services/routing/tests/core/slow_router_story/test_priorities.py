"""Supervisors who put contacts and whole queues forward and back, played to the slow router, too."""

import pytest

from huntgroup_routing.core.messages import Command, SetContactPriority, SetQueuePriority
from huntgroup_routing.core.values import Strategy

from .slow_people import REQUIREMENTS
from .slow_priorities import SlowPriorities
from .test_against_slow_router import QUEUES, RINGING, Traffic, play

PRIORITIES = (-2, 0, 1, 3)
OFTEN = 0.06


class Supervised(Traffic):
    """Now and then a contact, or all of a queue, are given another priority."""

    def next(self) -> Command:
        command = super().next()
        if self.chance.random() > OFTEN:
            return command
        priority = self.chance.choice(PRIORITIES)
        if self.chance.random() < 0.5:
            return SetQueuePriority(queue_id=self.chance.choice(QUEUES), priority=priority)
        return SetContactPriority(contact_id=self.old(), priority=priority)


@pytest.mark.sim
@pytest.mark.parametrize("seed", range(1_000, 1_008))
def test_contacts_stand_by_the_priority_they_are_given_as_in_a_slow_router(seed: int) -> None:
    rings, changes = seed % 3 == 0, seed % 4 == 1
    play(
        seed,
        (Strategy.LONGEST_IDLE, Strategy.LEAST_OCCUPIED, *(RINGING if rings else ())),
        sign_ons=3,
        requirements=tuple(REQUIREMENTS),
        rounds=1_500,
        traffic_type=Supervised,
        router=SlowPriorities,
        steps=seed % 2 == 0,
        policies=changes and not rings,
        overflow=seed % 4 == 2,
        callbacks=seed % 4 == 3,
    )
