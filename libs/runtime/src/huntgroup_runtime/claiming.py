"""Claims a partition that has no owner that is heard of, and shows signs of life while it is owned here."""

import asyncio
from typing import TYPE_CHECKING

from huntgroup_eventlog.journal.replica import Role

if TYPE_CHECKING:
    from huntgroup_runtime.life import Life


async def keep_ownership(life: "Life") -> None:
    """Look from time to time what is to be done, until cancelled."""
    around = life.around
    membership, partition = around.membership, around.partition
    checked_at = membership.now_s()
    while True:
        role = life.replica.role
        if membership.slept(membership.now_s() - checked_at):
            # This process stood still, not the owner: its heartbeats wait to be read.
            membership.heard(partition)
        elif role is Role.OWNING:
            if membership.heartbeat_due(life.appended_at):
                life.pump(heartbeat=True)
        elif role in (Role.FOLLOWING, Role.CLAIMING) and await _should_claim(life, role):
            membership.heard(partition)
            around.telemetry.claims.add()
            life.replica.claim(around.clock.now_ms())
            life.pump()
        checked_at = membership.now_s()
        await asyncio.sleep(membership.check_every_s)


async def _should_claim(life: "Life", role: Role) -> bool:
    membership, partition = life.around.membership, life.around.partition
    epoch = life.replica.reader.state.epoch
    if membership.should_claim(
        partition,
        resigned=life.replica.owner_resigned,
        fresh=epoch == 0,
        claiming=role is Role.CLAIMING,
    ):
        return True
    return (
        role is Role.FOLLOWING
        and await membership.is_gone(partition, life.replica.owner_address)
        # Meanwhile somebody else may have claimed.
        and life.replica.reader.state.epoch == epoch
        and life.replica.role is Role.FOLLOWING
    )
