"""Write `docs/reference/{events,api,settings,errors,metrics,policy,scenario}.md` from contracts and code: `make docs`.

`--check` writes nothing and names every page that differs from what it would write.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.reference.api_page import api_page
from tools.reference.contracts import read_contracts
from tools.reference.errors_page import errors_page
from tools.reference.events_page import events_page
from tools.reference.metrics_page import metrics_page
from tools.reference.policy_page import policy_page, policy_schema
from tools.reference.scenario_page import scenario_page, scenario_schema
from tools.reference.settings_page import settings_page

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("docs/reference")


def main() -> int:
    """Write the pages, or with --check compare them; 1 when one is stale."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="where docs/reference is")
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when stale")
    args = parser.parse_args()
    folder: Path = args.root / FOLDER
    made = pages()
    if args.check:
        return check(folder, made)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"wrote {len(made)} pages to {FOLDER}")
    return 0


def pages() -> Mapping[str, str]:
    """Return every page by its file name."""
    contracts = read_contracts(ROOT / "proto")
    return {
        "events.md": events_page(contracts),
        "api.md": api_page(contracts),
        "settings.md": settings_page(ROOT),
        "errors.md": errors_page(contracts),
        "metrics.md": metrics_page(),
        "policy.md": policy_page(contracts),
        "policy.schema.json": policy_schema(contracts),
        "scenario.md": scenario_page(),
        "scenario.schema.json": scenario_schema(),
    }


def check(folder: Path, fresh: Mapping[str, str]) -> int:
    """Name every page that is missing or stale; 1 if there is one."""
    stale = [name for name, text in fresh.items() if _text(folder / name) != text]
    for name in stale:
        print(f"stale: {FOLDER / name}")
    if stale:
        print("run `make docs` and commit the result")
        return 1
    print(f"{len(fresh)} reference pages are up to date")
    return 0


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
