"""The faults, each injected again and again into a cluster of its own."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.checks import after_fault, at_end
from huntgroup_onebox.chaos.results import Series
from huntgroup_onebox.chaos.stage import Say, Stage

MOMENT_S_MAX: Final = 2.5
"""A fault comes at a random moment within so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all faults of one run share."""

    folder: Path
    seed: str
    kills: int
    """So often each owner is killed; other faults a fifth as often."""
    say: Say

    @property
    def fewer(self) -> int:
        """How often a fault is injected that takes long."""
        return -(-self.kills // 5)

    def chance(self, what: str) -> random.Random:
        """Return the chance of one series."""
        return random.Random(f"{self.seed} {what}")  # noqa: S311 - chance that repeats by seed

    def stage(self, what: str, *, brokers: int = 1) -> Stage:
        """Return a new stage."""
        return Stage(self.folder / what, seed=self.seed, brokers=brokers)


Fault = Callable[[Run], Awaitable[list[Series]]]


async def kill_owner(run: Run) -> list[Series]:
    """`kill -9` of the process that owns a domain, for each service in turn."""
    return [await _kill_owner_of(run, service) for service in SERVICES]


async def _kill_owner_of(run: Run, service: str) -> Series:
    series = Series(fault="kill-owner", what=f"kill -9 the owner of {service}")
    chance = run.chance(series.what)
    run.say(f"{series.what}: starting a cluster …")
    async with run.stage(f"kill-{service}") as stage:
        for number in range(run.kills):
            domain = stage.domains[number % len(stage.domains)]
            await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
            before = await stage.lines()
            victim = stage.owner(service, domain)
            hit = stage.owned(service, victim)
            began_s = time.monotonic()
            stage.process(service, victim).kill()
            stage.process(service, victim).wait()
            await _note_silence(stage, series, service, hit, began_s)
            await stage.start_again(service, victim)
            await after_fault(stage, series, before)
            run.say(f"{series.what}: {number + 1} of {run.kills}, {series.seconds[-1]:.2f} s")
        await at_end(stage, series)
    return series


async def _note_silence(
    stage: Stage, series: Series, service: str, domains: list[str], began_s: float
) -> None:
    """Wait until clients are answered again, and note how long they were not."""
    if not await stage.answered(service, domains, began_s):
        series.problem(f"{service} did not answer again within a minute")
    series.seconds.append(stage.silence_s(service, domains, began_s))


FAULTS: Final[dict[str, Fault]] = {"kill-owner": kill_owner}
