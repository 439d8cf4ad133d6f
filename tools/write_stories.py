"""Write `tests/simulation/stories.json`: the digests of a few stories of the simulation, and who is caught in which.

Whoever plays the same seeds, on whatever machine, must come to the same digests, until a change makes stories go
otherwise. A test of a sabotage begins with the seed that caught it when the file was written.
"""

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, get_args

from huntgroup_onebox.sim.runner import play_seed
from huntgroup_onebox.sim.sabotage import SABOTAGES
from huntgroup_onebox.sim.verdict import Mode

ROOT: Final = Path(__file__).resolve().parent.parent
STORIES: Final = ROOT / "tests/simulation/stories.json"
SEEDS: Final = (11, 12, 13)
SABOTAGE_SEEDS: Final = 2_000
"""A sabotage that none of them catches is not seen."""


def python_version() -> str:
    """Return the version of Python as far as asyncio differs between versions."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def digests() -> dict[str, str]:
    """Play the stories; return the digest of each by mode and seed."""
    modes: tuple[Mode, ...] = get_args(Mode)
    return {f"{mode} {seed}": play_seed(seed, mode).digest for mode in modes for seed in SEEDS}


def caught_by(name: str, before: int) -> int:
    """Return a seed in which a sabotage is caught for the right reason; raises `RuntimeError`.

    That is the one of `before`, where it still is, or else the first.
    """
    words = SABOTAGES[name][1]
    seeds: list[int] = [before, *range(SABOTAGE_SEEDS)]
    for seed in seeds:
        if words in play_seed(seed, "safety", name).violation:
            return seed
    raise RuntimeError(f"none of {SABOTAGE_SEEDS} seeds catches {name}")


def catches() -> dict[str, int]:
    """Return a seed that catches each sabotage; raises `RuntimeError`."""
    found, known = {}, json.loads(STORIES.read_text())["caught"]
    with ProcessPoolExecutor() as pool:
        searches = {
            name: pool.submit(caught_by, name, known.get(name, 0)) for name in sorted(SABOTAGES)
        }
        for name, search in searches.items():
            found[name] = search.result()
            print(f"  {name}: caught in seed {found[name]}", flush=True)
    return found


def main() -> int:
    """Write the file."""
    stories = digests()
    print(f"digests of {len(stories)} stories; a sabotage may need some minutes:")
    told = {"python": python_version(), "stories": stories, "caught": catches()}
    STORIES.write_text(json.dumps(told, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
