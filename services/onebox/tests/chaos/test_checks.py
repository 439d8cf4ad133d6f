"""What counts as harm: each check sees it."""

import asyncio
import wave
from pathlib import Path
from typing import Any

import grpc
import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.journal.chain import chain_after
from huntgroup_onebox import chaos_command
from huntgroup_onebox.chaos.checks import compare_lines, compare_notes, count_places
from huntgroup_onebox.chaos.clients import Answers, said
from huntgroup_onebox.chaos.full_disk import broken_parts
from huntgroup_onebox.chaos.load import PARKED, WAITERS
from huntgroup_onebox.chaos.results import Series, page, percentile, text
from huntgroup_onebox.chaos.run import Run
from huntgroup_onebox.chaos.stage import domains_apart
from huntgroup_onebox.chaos.watch import Journal
from huntgroup_onebox.cli import main
from huntgroup_runtime.rpc.errors import RpcRefusedError

FIRST, SECOND, THIRD = ("ada", 5, 100), ("bob", 0, 50), ("cyd", 0, 60)


def series() -> Series:
    return Series(fault="kill-owner", what="kill -9 the owner of routing", seconds=[0.7])


def compared(queue_id: str, before: Any, after: Any) -> Series:
    one = series()
    compare_lines(one, {"a/b": {queue_id: before}}, {"a/b": {queue_id: after}})
    return one


@pytest.mark.parametrize(
    "after",
    [
        (FIRST, SECOND, THIRD),
        (SECOND, THIRD),
        (FIRST, SECOND, ("dan", 0, 55), THIRD),
        (),
    ],
)
def test_who_is_served_or_comes_in_changes_nobodys_place(after: Any) -> None:
    assert compared("regular", (FIRST, SECOND, THIRD), after).clean


@pytest.mark.parametrize(
    "after",
    [
        (FIRST, THIRD, SECOND),
        (FIRST, SECOND, ("cyd", 0, 99)),
        (FIRST, SECOND, ("cyd", 1, 60)),
    ],
)
def test_another_place_another_age_or_another_priority_is_harm(after: Any) -> None:
    assert not compared("regular", (FIRST, SECOND, THIRD), after).clean


def test_nobody_may_leave_the_queue_that_is_not_served() -> None:
    assert compared(PARKED, (FIRST, SECOND), (FIRST, SECOND)).clean
    (problem,) = compared(PARKED, (FIRST, SECOND), (FIRST,)).problems
    assert "1 lost their places" in problem


def test_a_look_at_too_few_who_wait_proves_nothing() -> None:
    line = tuple((f"c{number}", 0, number) for number in range(WAITERS))
    enough, few = series(), series()
    count_places(enough, {"a/b": {PARKED: line, "regular": (FIRST,)}})
    assert enough.clean
    assert enough.places == WAITERS + 1
    count_places(few, {"a/b": {PARKED: line[1:]}})
    (problem,) = few.problems
    assert f"fewer than {WAITERS} waited" in problem


class StageOfOne:
    """A stage with one domain and the journals that are given."""

    def __init__(self, outcomes: dict[str, int]) -> None:
        load: Any = type("Load", (), {})()
        load.api = type("Api", (), {"acknowledged": [("routing", "c1")]})()
        self.loads = {"a/b": load}
        self.watch: Any = type("Watch", (), {})()
        journal = Journal("routing", 0)
        journal.outcomes.update({("a/b", one): times for one, times in outcomes.items()})
        self.watch.journals = {
            (service, 0): journal
            for service in ("session", "agent-state", "routing", "recording", "reporting")
        }

    def partition(self, _: str) -> int:
        return 0


@pytest.mark.parametrize(("times", "harm"), [(0, 1), (1, 0), (2, 1)])
def test_an_acknowledged_command_counts_exactly_once(times: int, harm: int) -> None:
    one, stage = series(), StageOfOne({"c1": times})
    compare_notes(stage, one)  # type: ignore[arg-type]
    assert one.problem_count == harm


def entry(**kind: Any) -> bytes:
    return wire.JournalEntry(**kind).SerializeToString(deterministic=True)


def test_a_journal_counts_what_its_owner_wrote_and_passes_over_what_a_frozen_one_did() -> None:
    journal = Journal("routing", 0)
    claim = entry(claim=wire.Claim(epoch=1, owner="a", address="a:1"))
    journal.take(claim, 1.0)
    chain = journal.chain.state.chain
    outcome = wire.Outcome(command_id="c1")
    batch = wire.Batch(epoch=1, owner="a", seq=1, prev_hash=chain, domain="a/b", outcomes=[outcome])
    journal.take(entry(batch=batch), 2.0)
    assert journal.outcomes["a/b", "c1"] == 1
    late = wire.Batch(
        epoch=1, owner="a", seq=2, prev_hash=chain_after(chain, entry(batch=batch)), domain="a/b"
    )
    late.outcomes.add(command_id="c2")
    journal.take(entry(claim=wire.Claim(epoch=2, owner="b", address="b:1")), 3.0)
    journal.take(entry(batch=late), 4.0)
    assert journal.outcomes["a/b", "c2"] == 0
    assert journal.ignored[1] == 1
    assert [(one.owner, one.seen_s) for one in journal.claims] == [("a", 1.0), ("b", 3.0)]


def test_silence_is_the_longest_time_between_two_answers_around_the_fault() -> None:
    answers = Answers()
    answers._at_s = [1.0, 2.0, 2.1, 4.5, 4.6, 9.0]
    assert answers.longest_silence_s(2.2, 5.0) == pytest.approx(2.4)
    assert answers.longest_silence_s(4.55, 4.8) == pytest.approx(0.1)
    assert answers.since(4.5) == 2


def test_a_part_that_is_cut_off_or_no_audio_is_named(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.wav", tmp_path / "cut.wav"
    with wave.open(str(whole), "wb") as file:
        file.setparams((2, 2, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    cut.write_bytes(whole.read_bytes()[:-1_000])
    (tmp_path / "none.wav").write_bytes(b"not audio")
    assert [one.split()[0].rstrip(":") for one in sorted(broken_parts(tmp_path))] == [
        "cut.wav",
        "none.wav",
    ]


def test_a_refusal_and_a_receipt_say_what_and_where() -> None:
    refused = RpcRefusedError(
        grpc.StatusCode.NOT_FOUND, "UNKNOWN", "none", metadata={"position": "7"}
    )
    assert said(None, refused) == "refused UNKNOWN at 7"


def test_results_tell_times_and_what_was_violated() -> None:
    good, bad = series(), series()
    bad.problem("routing: acknowledged c1 counts 0 times")
    assert "holds" in text([good])
    assert "VIOLATED" not in text([good])
    assert "VIOLATED" in text([bad])
    assert "counts 0 times" in text([bad])
    written = page([good, bad], "make chaos", "Here.")
    assert "| 0.70 s | 0.70 s | 0 | 0 | holds |" in written
    assert "**violated 1×**" in written
    assert not Series(fault="x", what="never injected").clean


def test_of_less_than_a_hundred_values_the_99th_percentile_is_the_largest() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    assert percentile([], 50) == 0.0


def test_domains_are_in_different_partitions() -> None:
    assert len(set(domains_apart(3))) == 3


@pytest.mark.parametrize("value", ["kill-nobody", "kill-owner,", ""])
def test_an_unknown_fault_is_named(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["chaos", "--faults", value])
    assert ended.value.code == chaos_command.EXIT_BAD_INPUT
    assert "is none of kill-owner" in capsys.readouterr().err


async def test_answers_are_noted_as_they_come() -> None:
    answers, before = Answers(), asyncio.get_running_loop().time()
    answers.note()
    assert answers.since(before - 1.0) == 1


def test_a_series_that_is_broken_off_does_not_hold(tmp_path: Path) -> None:
    told: list[Series] = []
    run = Run(
        folder=tmp_path, seed="s", kills=1, services=(), say=lambda _: None, finished=told.append
    )

    def break_off() -> None:
        with run.series("kill-owner", "kill-routing") as one:
            one.seconds.append(1.0)
            raise AssertionError("a bug")

    with pytest.raises(AssertionError):
        break_off()
    assert not told[0].clean
