"""Load of whole contacts from a process of its own, and what can be read from what became of it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from huntgroup_onebox.bench.figure import percentiles
from huntgroup_onebox.bench.serving import Served
from huntgroup_onebox.bench.workbench import Workbench, finish, last_words, read_json, running

KEPT_UP_S = 0.5
"""A step is kept up with when at its end no more contacts are under way than arrive in so many seconds."""
SERVED_SHARE = 0.99
"""A step is not kept up with when more contacts of it than the rest were refused or lost."""
SET_UP_S, FILLED_WITHIN_S = 60.0, 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stairs:
    """See `huntgroup_loadtest.staircase.Staircase`."""

    first_rate: float
    factor: float = 1.0
    step_s: float
    steps: int = 1
    queue_after_ms: int = 0
    """So long after a contact was due to start it is due to be queued, whatever became of the start; 0: at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Contacts that nobody is there for, and agents who are there for others."""

    contacts: int
    agents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """One load as it was played."""

    contacts: Sequence[Mapping[str, Any]]
    steps: Sequence[Mapping[str, float]]
    failures: Mapping[str, int]
    client_cores: float
    """CPU time of the load's process over time: shares of a core."""
    cpu_ms_per_contact: Mapping[str, float]
    """CPU time by process, the load's own included, setting up agents included."""

    def completed_per_s(self, step: int) -> float:
        """Return how many contacts were completed in a second of the step."""
        begins, ends = self.steps[step]["begins_ns"], self.steps[step]["ends_ns"]
        done = sum(1 for one in self.contacts if begins <= one["completed_ns"] < ends)
        return done / (ends - begins) * 1e9

    def kept_up(self, step: int) -> bool:
        """Return whether the services kept up with the step, and turned nobody away."""
        told = self.steps[step]
        return (
            told["under_way"] <= max(3, told["rate"] * KEPT_UP_S)
            and self.completed_at_last(step) >= told["arrived"] * SERVED_SHARE
        )

    def completed_at_last(self, step: int) -> int:
        """Return how many contacts that came on the step were completed, be it later."""
        return sum(1 for one in self.contacts if one["step"] == step and one["completed_ns"])

    def knee(self) -> float:
        """Return the completed contacts a second of the last step before the first that was not kept up with.

        0 when that was the first of all. What follows after a failed step counts for nothing.
        """
        kept = list(takewhile(self.kept_up, range(len(self.steps))))
        return self.completed_per_s(kept[-1]) if kept else 0.0

    def spans_ms(self, since: str, until: str) -> list[float]:
        """Return the milliseconds from one time to another, of all contacts that have both."""
        return [
            (one[until] - one[since]) / 1e6 for one in self.contacts if one[since] and one[until]
        ]

    def told(self) -> dict[str, Any]:
        """Return what the JSON file says of the load."""
        return {
            "contacts": len(self.contacts),
            "failures": dict(self.failures),
            "client_cores": round(self.client_cores, 3),
            "cpu_ms_per_contact": {
                name: round(spent, 2) for name, spent in self.cpu_ms_per_contact.items()
            },
            "steps": [
                {
                    "rate": round(step["rate"], 1),
                    "arrived": step["arrived"],
                    "completed_at_last": self.completed_at_last(number),
                    "completed_per_s": round(self.completed_per_s(number), 1),
                    "under_way_at_end": step["under_way"],
                    "client_late_ms_max": round(step["late_ms_max"], 1),
                    "kept_up": self.kept_up(number),
                }
                for number, step in enumerate(self.steps)
            ],
            "due_to_completed_ms": _percentiles(self.spans_ms("due_ns", "completed_ns")),
            "queued_to_desktop_ms": _percentiles(self.spans_ms("queue_sent_ns", "offered_ns")),
        }


def play_load(
    bench: Workbench, served: Served, stairs: Stairs, *, domain: str, agents: int, seed: int
) -> LoadResult:
    """Play the load and wait for its end; raises `RuntimeError` when it cannot be played."""
    folder = bench.directory("load")
    plan, result, log = folder / "plan.json", folder / "result.json", folder / "load.log"
    values = {
        "addresses": served.addresses,
        "domain": domain,
        "agents": agents,
        "seed": seed,
        "stairs": {
            "first_rate": stairs.first_rate,
            "factor": stairs.factor,
            "step_s": stairs.step_s,
            "steps": stairs.steps,
        },
        "queue_after_ms": stairs.queue_after_ms,
        "behind_s_max": KEPT_UP_S,
    }
    plan.write_text(json.dumps(values), encoding="utf-8")
    before = served.cpu_s()
    command = ["huntgroup_loadtest.whole_contacts", str(plan), str(result)]
    with running(command, log) as process:
        finish(process, log, SET_UP_S + stairs.step_s * stairs.steps * 2)
    after = served.cpu_s()
    played = read_json(result)
    count = max(1, len(played["contacts"]))
    spent = {name: (after[name] - before[name]) / count * 1e3 for name in before}
    return LoadResult(
        contacts=played["contacts"],
        steps=played["steps"],
        failures=played["failures"],
        client_cores=played["cpu_s"] / max(played["wall_s"], 1e-9),
        cpu_ms_per_contact={**spent, "load": played["cpu_s"] / count * 1e3},
    )


@contextmanager
def fill(bench: Workbench, served: Served, waiting: Waiting) -> Iterator[None]:
    """Let contacts wait and agents be there for as long as the block lasts."""
    folder = bench.directory("fill")
    plan, result, log = folder / "plan.json", folder / "result.json", folder / "load.log"
    values = {
        "addresses": served.addresses,
        "domain": "bench/waiting",
        "agents": waiting.agents,
        "seed": 1,
        "waiting": waiting.contacts,
    }
    plan.write_text(json.dumps(values), encoding="utf-8")
    with running(["huntgroup_loadtest.whole_contacts", str(plan), str(result)], log) as process:
        end_s = time.monotonic() + FILLED_WITHIN_S
        while not result.exists():
            if process.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError(f"it could not be filled: {last_words(log)}")
            time.sleep(0.1)
        yield


def _percentiles(samples: Sequence[float]) -> dict[str, float]:
    return {name: round(each, 2) for name, each in percentiles(samples).items()} if samples else {}
