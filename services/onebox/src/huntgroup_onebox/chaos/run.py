"""What all faults of one run share."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    """So often each owner is killed; other faults a tenth as often."""
    services: Sequence[str]
    """Whose owners are killed and frozen."""
    say: Say
    finished: Callable[[Series], None]
    """Called with each series when it is over."""

    @property
    def fewer(self) -> int:
        """How often a fault is injected that takes long."""
        return -(-self.kills // 10)

    def chance(self, what: str) -> random.Random:
        """Return the chance of one series."""
        return random.Random(f"{self.seed} {what}")  # noqa: S311 - chance that repeats by seed

    def stage(
        self, what: str, *, brokers: int = 1, environment: Mapping[str, str] | None = None
    ) -> Stage:
        """Return a new stage."""
        return Stage(self.folder / what, seed=self.seed, brokers=brokers, environment=environment)
