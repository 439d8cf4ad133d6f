"""The rules themselves: each finds what it is there to find."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUFF = Path(sys.executable).with_name("ruff")
SERVICES = {
    "agent-state": "huntgroup_agent_state",
    "recording": "huntgroup_recording",
    "reporting": "huntgroup_reporting",
    "routing": "huntgroup_routing",
    "session": "huntgroup_session",
}
PROTO = 'syntax = "proto3";\npackage huntgroup.toy.v1;\nmessage Toy { string name = 1; }\n'


def generate_proto(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/generate_proto.py"), "--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    source = tmp_path / "proto/huntgroup/toy/v1/toy.proto"
    source.parent.mkdir(parents=True)
    source.write_text(PROTO)
    assert generate_proto(tmp_path).returncode == 0
    return tmp_path


def test_fresh_generated_code_passes(toy: Path) -> None:
    assert generate_proto(toy, "--check").returncode == 0


def test_stale_missing_and_left_over_generated_code_is_named(toy: Path) -> None:
    package = toy / "libs/contracts/src/huntgroup"
    (package / "toy/v1/toy_pb2.py").write_text("# edited by hand\n")
    (package / "toy/v1/toy_pb2.pyi").unlink()
    shutil.copytree(package / "toy", package / "gone")
    run = generate_proto(toy, "--check")
    assert run.returncode == 1
    assert "stale: libs/contracts/src/huntgroup/toy/v1/toy_pb2.py\n" in run.stdout
    assert "missing: libs/contracts/src/huntgroup/toy/v1/toy_pb2.pyi\n" in run.stdout
    assert "left over: libs/contracts/src/huntgroup/gone/v1/toy_pb2.py\n" in run.stdout


def ruff(stand_in: str, source: str) -> str:
    command = [str(RUFF), "check", "--no-cache", "--stdin-filename", stand_in, "-"]
    run = subprocess.run(
        command, input=source, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return run.stdout


@pytest.mark.parametrize(("service", "package"), SERVICES.items())
@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("time", "time.time()"),
        ("uuid", "uuid.uuid4()"),
        ("datetime", "datetime.datetime.now()"),
        ("random", "random.random()"),
    ],
)
def test_a_core_may_not_call_the_world(service: str, package: str, module: str, call: str) -> None:
    source = f"import {module}\n\nprint({call})\n"
    assert "TID251" in ruff(f"services/{service}/src/{package}/core/decide.py", source)
    assert "TID251" not in ruff(f"services/{service}/src/{package}/app/queries.py", source)
