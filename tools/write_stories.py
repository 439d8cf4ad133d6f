"""Write `tests/simulation/stories.json`: the digests of a few stories of the simulation.

Whoever plays the same seeds, on whatever machine, must come to the same digests, until a change makes stories go
otherwise.
"""

import json
import sys
from pathlib import Path
from typing import Final, get_args

from huntgroup_onebox.sim.runner import play_seed
from huntgroup_onebox.sim.verdict import Mode

ROOT: Final = Path(__file__).resolve().parent.parent
STORIES: Final = ROOT / "tests/simulation/stories.json"
SEEDS: Final = (11, 12, 13)


def python_version() -> str:
    """Return the version of Python as far as asyncio differs between versions."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def digests() -> dict[str, str]:
    """Play the stories; return the digest of each by mode and seed."""
    modes: tuple[Mode, ...] = get_args(Mode)
    return {f"{mode} {seed}": play_seed(seed, mode).digest for mode in modes for seed in SEEDS}


def main() -> int:
    """Write the file."""
    told = {"python": python_version(), "stories": digests()}
    STORIES.write_text(json.dumps(told, indent=2) + "\n")
    print(f"wrote the digests of {len(told['stories'])} stories")
    return 0


if __name__ == "__main__":
    sys.exit(main())
