"""`huntgroup policy` against a routing service: what it prints, what it changes, and its exit codes."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.cli import main, parser
from huntgroup_onebox.policy_command import carry_out
from huntgroup_routing.wiring import wire
from huntgroup_runtime.process import Process
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry

SALES = """\
queues:
  sales:
    channel: VOICE
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
"""
BOTH = SALES + SALES.removeprefix("queues:\n").replace("sales", "tax")


@pytest.fixture
async def address(capsys: pytest.CaptureFixture[str]) -> AsyncIterator[str]:
    settings = RuntimeSettings(
        log_url="memory://",
        grpc_listen="127.0.0.1:0",
        http_listen="127.0.0.1:0",
        heartbeat_ms=0,
        takeover_after_ms=0,
        admission_delay_target_ms=0,
    )
    log, snapshots = MemoryLog(1), ObjectSnapshotStore.from_url("")
    process = Process("routing", settings, log=log, snapshots=snapshots, telemetry=Telemetry.off())
    await wire(process)
    with capture_logs():  # standard output is the command's alone
        await process.start()
        await do(process.address, "versions")
        capsys.readouterr()
        yield process.address
        await process.stop()
    await log.close()


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def written(text: str) -> str:
        (tmp_path / "policy.yaml").write_text(text)
        return str(tmp_path / "policy.yaml")

    return written


async def do(address: str, *words: str) -> int:
    where = ("--target", address, "--tenant", "acme", "--domain", "emea")
    return await carry_out(parser().parse_args(["policy", *words, *where]))


async def test_a_file_is_planned_applied_shown_and_rolled_back(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await do(address, "plan", file(BOTH)) == 0
    heading, made, channel, *_ = capsys.readouterr().out.splitlines()
    assert heading == "version 0 -> 1                  NOW  BECOMES"
    assert made == "+ sales is made"
    assert channel == "    channel                     –    VOICE"
    assert await do(address, "apply", file(BOTH), "--yes", "--author", "ada") == 0
    assert capsys.readouterr().out.endswith("version 1 holds\n")
    assert await do(address, "apply", file(SALES.replace("20000", "9000", 1)), "--yes") == 0
    assert capsys.readouterr().out == (
        "version 1 -> 2       NOW    BECOMES\n"
        "- tax retires: it takes no new contacts\n~ sales changes\n"
        "    ring_timeout_ms  20000  9000\n"
        "    warning: nobody signed on now could serve a contact that comes\nversion 2 holds\n"
    )
    assert await do(address, "rollback", "1", "--yes", "--reason", "too short") == 0
    capsys.readouterr()
    assert await do(address, "versions") == 0
    columns, newest, *_, oldest = capsys.readouterr().out.splitlines()
    assert columns.split()[:3] == ["VERSION", "SINCE", "BY"]
    assert newest.split()[0] == "3"
    assert newest.endswith("2 queues: sales, tax; back to 1; too short")
    assert oldest.split()[3] == "ada"
    assert await do(address, "show") == 0
    shown = capsys.readouterr().out
    assert await do(address, "apply", file(shown), "--yes") == 0
    assert capsys.readouterr().out == "nothing changes: version 3 says the same\n"


async def test_programs_read_json(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await do(address, "apply", file(SALES), "--yes", "--json") == 0
    applied = json.loads(capsys.readouterr().out)
    assert (applied["applied"], [one["kind"] for one in applied["changes"]]) == (1, ["MADE"])
    assert await do(address, "show", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["version"] == 1
    assert shown["policy"]["queues"]["sales"]["channel"] == "VOICE"
    assert await do(address, "versions", "--json") == 0
    (version,) = json.loads(capsys.readouterr().out)["versions"]
    assert (version["version"], isinstance(version["at_ms"], int)) == (1, True)


async def test_nothing_is_applied_where_nobody_agreed(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await do(address, "apply", file(SALES)) == 2
    assert "nobody can be asked here" in capsys.readouterr().err
    assert await do(address, "versions") == 0
    assert capsys.readouterr().out == ""


async def test_a_version_that_is_not_there_is_refused(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await do(address, "rollback", "7", "--yes") == 1
    assert "version 7 is not remembered: none is, for no queue" in capsys.readouterr().err
    assert await do(address, "show", "--version", "7") == 1
    assert "POLICY_VERSION_UNKNOWN" in capsys.readouterr().err
    assert await do(address, "apply", file(SALES), "--yes") == 0
    assert await do(address, "rollback", "99", "--yes") == 1
    assert "version 99 is not remembered: 1 to 1 are" in capsys.readouterr().err


async def test_a_domain_that_may_be_mistyped_is_told_of(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = "acme/emea has no policy: no queue was ever configured there\n"
    assert await do(address, "versions") == 0
    assert capsys.readouterr().err == told
    for words in (("plan", file(SALES)), ("apply", file(SALES), "--yes")):
        assert await do(address, *words) == 0
        assert capsys.readouterr().err == f"warning: {told}"
    assert await do(address, "plan", file(BOTH)) == 0
    assert await do(address, "versions") == 0
    assert capsys.readouterr().err == ""


async def test_a_domain_without_a_policy_is_shown_as_no_file(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ((), ("--json",)):
        assert await do(address, "show", *words) == 1
        told = capsys.readouterr()
        assert (told.out, "acme/emea has no policy" in told.err) == ("", True)
    assert await do(address, "apply", file(SALES), "--yes") == 0
    assert await do(address, "apply", file("queues: {}\n"), "--yes") == 0
    capsys.readouterr()
    assert await do(address, "show") == 0
    assert capsys.readouterr().out == "# version 2\nqueues: {}\n"


async def test_a_setting_that_breaks_a_rule_is_bad_input(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    long = ("--yes", "--reason", "x" * 501)
    for words in (("apply", file(SALES), *long), ("rollback", "1", *long)):
        assert await do(address, *words) == 2
        assert "--reason 'xxx" in (told := capsys.readouterr().err)
        assert told.endswith("breaks the rule: max_length 500\n")
    assert await do(address, "versions") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("rollback", "-1"), "VERSION: '-1': must be a whole number from 1 to 2,000,000,000"),
        (("rollback", "0"), "VERSION: '0': must be a whole number from 1 to 2,000,000,000"),
        (("show", "--version", "0"), "--version: '0': must be a whole number from 1 to"),
        (("show", "--version", "99999999999"), "--version: '99999999999': must be a whole number"),
        (("show", "--target", "localhost"), "--target: 'localhost': must be HOST:PORT"),
        (("show", "--target", "http://127.0.0.1:7400"), "--target: 'http://127.0.0.1:7400': must"),
        (("show", "--target", "127.0.0.1:0"), "--target: '127.0.0.1:0': must be HOST:PORT"),
        (("show", "--target", "127.0.0.1:1,"), "--target: '': must be HOST:PORT"),
    ],
)
def test_settings_are_looked_at_before_anything_is_sent(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["policy", *words, "--tenant", "acme", "--domain", "emea"])
    assert left.value.code == 2
    assert told in capsys.readouterr().err


async def test_a_faulty_file_is_bad_input_everywhere(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    faulty = file(SALES.replace("VOICE", "VOICES"))
    for words in (("plan", faulty), ("apply", faulty, "--yes")):
        assert await do(address, *words) == 2
        assert f"{faulty}:3:5: queues.sales.channel: 'VOICES'" in capsys.readouterr().err


def test_a_file_is_checked_without_any_system(
    file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "check", file(SALES)]) == 0
    assert capsys.readouterr().out.endswith(": 1 queue, no fault\n")
    assert main(["policy", "check", file("queues: 5"), "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["faults"] == told.err.splitlines()
    assert main(["policy", "check", file("queues: [")]) == 2
    assert ":1:10: is no YAML" in capsys.readouterr().err


async def test_what_only_the_system_can_know_is_told_with_its_place_in_the_file(
    address: str, file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    scored = file(SALES + "    strategy: SCORED\n    scorer: mine\n")
    assert main(["policy", "check", scored]) == 0
    for words in (("plan", scored), ("apply", scored, "--yes")):
        assert await do(address, *words) == 2
        told = f"{scored}:7:5: queues.sales.scorer: 'mine': is not installed"
        assert told in capsys.readouterr().err


async def test_a_target_that_is_not_routing_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    assert await do(f"127.0.0.1:{port}", "versions") == 1
    told = f"--target 127.0.0.1:{port}: does not serve routing: another service answers there\n"
    assert capsys.readouterr().err == told
    await server.stop(None)
