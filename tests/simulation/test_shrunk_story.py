"""What is told of a story that fails, beside the smaller one that is shown of it."""

from collections import Counter
from dataclasses import replace

import pytest

from huntgroup_onebox import sim_command
from huntgroup_onebox.cli import main
from huntgroup_onebox.sim.plan import plan_of
from huntgroup_onebox.sim.verdict import Verdict

WHOLE = Verdict(
    plan=plan_of(3),
    mode="liveness",
    violation="4: c-1 waited no more, and a read says so; 7: c-2 is lost",
    steps=9,
    digest="",
    lines=(),
    counts=Counter(),
)


@pytest.mark.parametrize(
    ("violation", "told"),
    [
        (WHOLE.violation, ""),
        (
            "4: c-3 waited no more, and a read says so; 7: c-4 is lost",
            "The smaller story below violates the same rule: 4: c-3 waited",
        ),
        (
            "4: c-1 waited no more, and a read says so; 9: c-2 rings twice",
            "The smaller story below violates another rule: 4: c-1 waited",
        ),
    ],
)
def test_a_smaller_story_that_violates_something_else_says_so_above_it(
    violation: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sim_command, "play_seed", lambda *_: WHOLE)
    smaller = replace(WHOLE, violation=violation)
    monkeypatch.setattr(sim_command, "play_shrunk", lambda *_: smaller)
    assert main(["sim", "--seeds", "1", "--seed", "3"]) == 1
    first, needs, *more = capsys.readouterr().out.splitlines()
    assert first == f"VIOLATION in seed 3: {WHOLE.violation}"
    assert needs.startswith("It needs ")
    assert [line.startswith(told) for line in more[:-1]] == [True] * bool(told)
