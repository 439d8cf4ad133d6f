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
WARM_UP_S: Final = 10.0
"""What has just been started is slow, and takes less than it will."""
SHORT_STEPS: Final = 2
"""The climb ends after so many steps in a row that were not kept up with: one alone may be chance."""
HIGHER_SHARE: Final = 1.15
CORRECTIONS_MAX: Final = 3
"""When so much more than the peak gets through in a round, the climb had met a slow moment: then that is the peak."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """At the peak's rate, twice at twice that, and at the peak's rate again: what drifts meanwhile weighs on both."""

    once: tuple[Outcome, Outcome]
    twice: tuple[Outcome, Outcome]


@dataclass(slots=True, kw_only=True)
class Goodput:
    """What got through at the most, and at twice that."""

    peak_per_s: float
    climb: list[Outcome]
    rounds: list[Round] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Return, for each round, goodput at twice the rate over goodput at the rate."""
        return [
            sum(one.goodput_per_s for one in each.twice)
            / max(sum(one.goodput_per_s for one in each.once), 1e-9)
            for each in self.rounds
        ]

    def values(self) -> dict[str, Any]:
        """Return the figures for programs."""
        return {
            "peak_per_s": round(self.peak_per_s, 1),
            "ratios": [round(one, 3) for one in self.ratios],
            "ratio": round(median(self.ratios), 3) if self.rounds else 0.0,
            "climb": [one.values() for one in self.climb],
            "rounds": [
                {
                    "once": [one.values() for one in each.once],
                    "twice": [one.values() for one in each.twice],
                }
                for each in self.rounds
            ],
        }


async def goodput(
    loop: OpenLoop, *, first_rate: float, step_s: float, span_s: float, rounds: int, tell: Tell
) -> Goodput:
    """Find the most that gets through, then play rounds of four spans; `loop` must be set up."""
    await loop.load(first_rate, WARM_UP_S)
    climb: list[Outcome] = []
    rate, short = first_rate, 0
    while short < SHORT_STEPS and len(climb) < CLIMB_STEPS_MAX:
        climb.append(await loop.load(rate, step_s))
        offered = climb[-1].offered / step_s
        tell(f"{offered:.0f}/s offered: {climb[-1].goodput_per_s:.0f}/s get through")
        short = short + 1 if climb[-1].goodput_per_s < KEPT_UP_SHARE * offered else 0
        rate *= CLIMB_FACTOR
    found = Goodput(peak_per_s=max(one.goodput_per_s for one in climb), climb=climb)
    corrections = 0
    while len(found.rounds) < rounds:
        found.rounds.append(await _round(loop, found, span_s, tell))
        last = found.rounds[-1]
        best = max(one.goodput_per_s for one in (*last.once, *last.twice))
        if best > HIGHER_SHARE * found.peak_per_s and corrections < CORRECTIONS_MAX:
            tell(f"{best:.0f}/s got through: that is the peak, so from the beginning")
            corrections += 1
            found.peak_per_s = best
            found.rounds.clear()
    return found


async def _round(loop: OpenLoop, found: Goodput, span_s: float, tell: Tell) -> Round:
    rates = [times * found.peak_per_s for times in (1, 2, 2, 1)]
    seeds = range(4 * len(found.rounds), 4 * len(found.rounds) + 4)
    a, b, c, d = [
        await loop.load(rate, span_s, seed=seed) for rate, seed in zip(rates, seeds, strict=True)
    ]
    per_s = ", ".join(f"{one.goodput_per_s:.0f}/s" for one in (a, b, c, d))
    tell(f"round {len(found.rounds) + 1}, at 1, 2, 2 and 1 times the peak: {per_s}")
    return Round(once=(a, d), twice=(b, c))


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
