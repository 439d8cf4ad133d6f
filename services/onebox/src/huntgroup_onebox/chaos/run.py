"""What all faults of one run share."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huntgroup_eventlog.port import LogUnavailableError
from huntgroup_onebox.chaos.results import Series
from huntgroup_onebox.chaos.stage import Say, Stage
from huntgroup_runtime.rpc.errors import RpcRefusedError

MOMENT_S_MAX: Final = 2.5
"""A fault comes at a random moment within so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all faults of one run share."""

    folder: Path
    seed: str
    kills: int
    """So often each owner is killed."""
    services: Sequence[str]
    """Whose owners are killed, stopped and frozen."""
    say: Say
    finished: Callable[[Series], None]
    """Called with each series when it is over."""

    @property
    def fewer(self) -> int:
        """How often each owner is stopped, a broker is killed and a disk is filled: half as often."""
        return -(-self.kills // 2)

    @property
    def rarely(self) -> int:
        """How often each owner is frozen, which takes longest: a tenth as often."""
        return -(-self.kills // 10)

    def chance(self, what: str) -> random.Random:
        """Return the chance of one series."""
        return random.Random(f"{self.seed} {what}")  # noqa: S311 - chance that repeats by seed

    @contextmanager
    def series(self, fault: str, what: str, measured: str = "takeover") -> Iterator[Series]:
        """Lend a series, and tell that it is over; what cuts it short is a problem of it, and the next one goes on."""
        one = Series(fault=fault, what=what, measured=measured)
        self.say(f"{what}: starting a cluster …")
        try:
            yield one
        except (RpcRefusedError, LogUnavailableError, RuntimeError, TimeoutError) as error:
            one.problem(f"cut short: {error!r}")
        except BaseException as error:
            one.problem(f"broken off: {error!r}")
            raise
        finally:
            self.finished(one)

    def stage(
        self, what: str, *, brokers: int = 1, environment: Mapping[str, str] | None = None
    ) -> Stage:
        """Return a new stage."""
        return Stage(self.folder / what, seed=self.seed, brokers=brokers, environment=environment)
