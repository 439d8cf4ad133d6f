"""What is done when more is asked than can be done, and whether it costs memory for good: two plays of the open loop.

`goodput` climbs until no more contacts get through, then plays pairs: as many calls as got through, and twice as many.
`soak` plays one rate for long, once everything that remembers the last contacts is full.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from huntgroup_loadtest.open_loop import OpenLoop, Outcome

CLIMB_FACTOR: Final = 1.3
CLIMB_STEPS_MAX: Final = 20
WARM_ROUND_S, WARM_ROUNDS_MAX = 20.0, 60
KEPT_UP_SHARE: Final = 0.9
"""A rate is kept up with when so much of what was offered got through."""

Tell = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Goodput:
    """What got through at the most, and at twice that."""

    peak_per_s: float
    climb: list[Outcome]
    pairs: list[tuple[Outcome, Outcome]] = field(default_factory=list)
    """At the peak's rate, and at twice that, one after the other."""

    @property
    def ratios(self) -> list[float]:
        """Return, for each pair, goodput at twice the rate over goodput at the rate."""
        return [twice.goodput_per_s / max(once.goodput_per_s, 1e-9) for once, twice in self.pairs]

    def values(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            "peak_per_s": round(self.peak_per_s, 1),
            "ratios": [round(one, 3) for one in self.ratios],
            "ratio": round(median(self.ratios), 3) if self.pairs else 0.0,
            "climb": [one.values() for one in self.climb],
            "pairs": [[once.values(), twice.values()] for once, twice in self.pairs],
        }


async def goodput(
    loop: OpenLoop, *, first_rate: float, step_s: float, pair_s: float, pairs: int, tell: Tell
) -> Goodput:
    """Find the most that gets through, then play pairs; `loop` must be set up."""
    climb: list[Outcome] = []
    rate = first_rate
    for _ in range(CLIMB_STEPS_MAX):
        climb.append(await loop.load(rate, step_s))
        tell(f"{rate:.0f}/s offered: {climb[-1].goodput_per_s:.0f}/s get through")
        if climb[-1].goodput_per_s < KEPT_UP_SHARE * rate:
            break
        rate *= CLIMB_FACTOR
    found = Goodput(peak_per_s=max(one.goodput_per_s for one in climb), climb=climb)
    for number in range(pairs):
        once = await loop.load(found.peak_per_s, pair_s, seed=2 * number)
        twice = await loop.load(2 * found.peak_per_s, pair_s, seed=2 * number + 1)
        found.pairs.append((once, twice))
        tell(f"pair {number + 1}: {once.goodput_per_s:.0f}/s, then {twice.goodput_per_s:.0f}/s")
    return found


async def soak(
    loop: OpenLoop,
    *,
    warm_calls_per_s: float,
    warm_contacts: int,
    calls_per_s: float,
    seconds: float,
    tell: Tell,
) -> Outcome:
    """Play `warm_contacts`, then one rate; `loop` must be set up."""
    done = 0
    for number in range(WARM_ROUNDS_MAX):
        if done >= warm_contacts:
            break
        done += (await loop.load(warm_calls_per_s, WARM_ROUND_S, seed=number)).done
        loop.forget()
    tell(f"warm after {done} contacts")
    return await loop.load(calls_per_s, seconds, seed=WARM_ROUNDS_MAX)


async def play(plan: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Play what `plan` says: addresses, domain, agents, and `goodput` or `soak` with its own words."""
    loop = OpenLoop(
        plan["addresses"], domain=plan["domain"], run=plan["run"], agents=plan["agents"]
    )
    await loop.set_up()
    tell("set up")
    try:
        if "goodput" in plan:
            return (await goodput(loop, **plan["goodput"], tell=tell)).values()
        return (await soak(loop, **plan["soak"], tell=tell)).values()
    finally:
        await loop.close()


def main(plan_file: str, result_file: str) -> None:
    """Play the plan of one file and write what came of it to another; progress on standard output."""
    plan = json.loads(Path(plan_file).read_text(encoding="utf-8"))

    def tell(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(play(plan, tell))
    Path(result_file).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
