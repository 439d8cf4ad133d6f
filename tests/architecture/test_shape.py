"""The shape of the repository: same folders in every service, short files, one Makefile that stays readable.

Imports between packages are the business of `.importlinter`; this file checks what imports cannot show.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("agent-state", "recording", "reporting", "routing", "session")

CORE = (
    *("__init__", "values", "messages", "state", "decide", "evolve"),
    *("deadlines", "eligibility", "ranking", "invariants", "projections"),
)
SUBJECTS = {
    "agent-state": ("concurrency", "talking"),
    "routing": (
        "agents",
        "attendance",
        "arriving",
        "batching",
        "blending",
        "by_hand",
        "changes",
        "concurrency",
        "conditions",
        "dialing",
        "estimates",
        "events",
        "exiting",
        "expressions",
        "facts",
        "faults",
        "hours",
        "lanes",
        "lending",
        "leaving",
        "lines",
        "moving",
        "opening",
        "overflow",
        "pace",
        "offering",
        "policy",
        "precedence",
        "preferring",
        "previews",
        "queueing",
        "queues",
        "replanning",
        "requirements",
        "resuming",
        "returning",
        "ringing",
        "scorers",
        "scoring",
        "selection",
        "sharing",
        "soundness",
        "stepping",
        "steps",
        "turns",
        "versions",
        "waiting",
        "watching",
        "written",
        "written_agents",
        "written_queues",
    ),
    "session": ("agents", "attendance", "callbacks", "events", "lines", "queueing"),
}
"""What a core of many rules holds beside them: one file for each subject, named by it."""
APP = ("__init__", "handlers", "reactions", "queries", "ports", "effects")
ADAPTERS = ("__init__", "grpc_api", "mapping", "store", "streams", "media", "views", "ledger")
TOP = ("__init__", "__main__", "settings", "wiring", "telemetry")
ALLOWED = {
    "README.md",
    "PKG/py.typed",
    "PKG/core/ruff.toml",
    *(f"PKG/{name}.py" for name in TOP),
    *(f"PKG/core/{name}.py" for name in CORE),
    *(f"PKG/app/{name}.py" for name in APP),
    *(f"PKG/adapters/{name}.py" for name in ADAPTERS),
}
REQUIRED = {
    "README.md",
    *(f"PKG/{name}.py" for name in ("__main__", "settings", "wiring", "telemetry")),
    *(f"PKG/core/{name}.py" for name in ("messages", "state", "decide", "evolve")),
    *(f"PKG/app/{name}.py" for name in ("reactions", "queries")),
    *(f"PKG/adapters/{name}.py" for name in ("grpc_api", "mapping")),
    "PKG/core/ruff.toml",
}
TEST_FOLDERS = ("tests/core/", "tests/app/", "tests/adapters/", "tests/conftest.py")

MAIN_LINES_MAX = 12
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
MAKEFILE_VERBS_MAX = 30
MAKEFILE_LINES_MAX = 200
DRAWER_NAMES = {"utils", "util", "helpers", "common", "misc", "base", "manager"}

# A root folder of one machine where a path may begin. The slashes stand in brackets so that this line is no hit.
MACHINE_PATH = re.compile(r"(?<![\w.~}$/-])[/](?:work|farm|root)[/]")
ADDRESS = re.compile(r"https?:[/]{2}")


def tracked(*patterns: str) -> list[Path]:
    """Return the files git knows or would add, as they are on disk."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    listed = subprocess.run([*command, *patterns], cwd=ROOT, capture_output=True, check=True)
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_generated(path: Path) -> bool:
    return relative(path).startswith("libs/contracts/src/huntgroup/")


def is_test(path: Path) -> bool:
    return "tests" in path.relative_to(ROOT).parts


def hand_written() -> list[Path]:
    return [path for path in tracked("*.py") if not is_generated(path)]


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def service_files(service: str) -> set[str]:
    """Return the files of one service with its package written as PKG; skip one that has no README yet."""
    folder = ROOT / "services" / service
    if not (folder / "README.md").is_file():
        pytest.skip(f"services/{service} has no README.md yet")
    package = "src/huntgroup_" + service.replace("-", "_") + "/"
    paths = (path.relative_to(folder).as_posix() for path in tracked(f"services/{service}/*"))
    return {path.replace(package, "PKG/", 1) for path in paths}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_only_known_names(service: str) -> None:
    subjects = {f"PKG/core/{name}.py" for name in SUBJECTS.get(service, ())}
    unknown = {
        path
        for path in service_files(service) - ALLOWED - subjects
        if not path.startswith(TEST_FOLDERS) and path != "tests/.gitkeep"
    }
    assert not unknown, f"services/{service} has unknown files: {sorted(unknown)}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_every_required_name(service: str) -> None:
    missing = REQUIRED - service_files(service)
    assert not missing, f"services/{service} lacks: {sorted(missing)}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_in_a_few_lines(service: str) -> None:
    if "PKG/__main__.py" not in service_files(service):
        pytest.skip("the missing file is reported by another test")
    package = "huntgroup_" + service.replace("-", "_")
    main = ROOT / "services" / service / "src" / package / "__main__.py"
    assert line_count(main) <= MAIN_LINES_MAX, f"{relative(main)}: move the rest to wiring.py"


def test_core_rules_are_the_same_in_every_service() -> None:
    texts = {path.read_text() for path in tracked("services/*/core/ruff.toml")}
    assert len(texts) == 1, "core/ruff.toml differs between services; edit tools/ruff-core.toml"


def test_files_stay_short() -> None:
    long = [
        f"{relative(path)}: {line_count(path)}"
        for path in hand_written()
        if line_count(path) > (TEST_FILE_LINES_MAX if is_test(path) else FILE_LINES_MAX)
    ]
    assert not long, f"split these files: {long}"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_stay_short() -> None:
    long = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in hand_written()
        for node in functions(path)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long, f"over {FUNCTION_LINES_MAX} lines: {long}"


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = [
        relative(path)
        for path in hand_written()
        if path.stem in DRAWER_NAMES or path.parent.name in DRAWER_NAMES
    ]
    assert not drawers, f"name these by what they hold: {drawers}"


def test_the_makefile_stays_readable() -> None:
    makefile = ROOT / "Makefile"
    verbs = re.findall(r"^([a-z-]+):.*## ", makefile.read_text(), re.MULTILINE)
    targets = re.findall(r"^([a-z-]+):", makefile.read_text(), re.MULTILINE)
    assert sorted(verbs) == sorted(targets), "every verb has a line in the help"
    assert phony_faults(makefile.read_text()) == []
    assert len(verbs) <= MAKEFILE_VERBS_MAX
    assert line_count(makefile) <= MAKEFILE_LINES_MAX


def phony_faults(makefile: str) -> list[str]:
    """Return verbs that a file of their name would switch off, and names that `.PHONY` has for nothing."""
    verbs = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    (listed,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)", makefile, re.MULTILINE)
    phony = set(listed.replace("\\\n", " ").split())
    return [f"not in .PHONY: {name}" for name in sorted(verbs - phony)] + [
        f"no rule: {name}" for name in sorted(phony - verbs)
    ]


def test_a_verb_that_is_not_phony_and_a_name_without_a_rule_are_named() -> None:
    makefile = "fmt: ## Format\n\ttrue\nlint:\n\ttrue\n\n.PHONY: fmt \\\n\ttype\n"
    assert phony_faults(makefile) == ["not in .PHONY: lint", "no rule: type"]


def test_locks_hold_no_address() -> None:
    locks = tracked("*.lock", "*-lock.*", "*lock.json")
    assert locks
    found = [relative(path) for path in locks if ADDRESS.search(path.read_text())]
    assert not found, f"download addresses in {found}"


def test_locks_pin_every_package_with_a_hash() -> None:
    for lock in (ROOT / "requirements.lock", ROOT / "requirements-dev.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        loose = [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]
        assert not loose, f"{lock.name}: {loose}"


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{relative(path)}:{number}"
            for number, line in enumerate(text.splitlines(), start=1)
            if MACHINE_PATH.search(line)
        ]
    assert not found, f"paths of one machine: {found}"


def test_only_command_line_modules_print() -> None:
    printing = [
        f"{relative(path)}:{node.lineno}"
        for path in hand_written()
        if relative(path).startswith(("libs/", "services/"))
        and not is_test(path)
        and path.name != "cli.py"
        and path.parent.name != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not printing, f"log instead of printing: {printing}"
