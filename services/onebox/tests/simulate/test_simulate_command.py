"""`huntgroup simulate` as its users meet it."""

import json
from pathlib import Path
from typing import Any

import pytest

from huntgroup_onebox.cli import main
from huntgroup_onebox.simulate.reading import read_scenario

ROOT = Path(__file__).resolve().parents[4]

SCENARIO = """\
name: small
seed: 3
replications: 3
run: {contacts: 400, warm_up_contacts: 100}
queues:
  sales: {service_level_threshold_s: 20}
  internet: {required_skills: [web]}
classes:
  calls:
    queue: sales
    arrivals: {kind: poisson, per_hour: 60}
    service: {kind: lognormal, mean_s: 150, sigma: 0.8}
    patience: {kind: exponential, mean_s: 300}
  chats:
    queue: internet
    arrivals: {kind: poisson, per_hour: 10}
    service: {kind: exponential, mean_s: 200}
agents:
  team: {count: 3}
  web: {count: 1, skills: [web]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO)
    return file


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["simulate", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_tables_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(file), "--jobs", "1"]) == 0
    out = capsys.readouterr().out
    assert "Queues" in out
    assert "internet" in out
    assert "Groups of agents" in out
    assert "3 replications of seed 3" in out
    assert "1,200 contacts in" in out


def test_the_same_file_gives_the_same_figures_however_many_play(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone, together = told(capsys, str(file), "--jobs", "1"), told(capsys, str(file), "--jobs", "2")
    assert alone["figures"] == together["figures"]
    assert alone["contacts"] == together["contacts"] == 1_200
    wait = alone["figures"]["queues"]["sales"]["wait_mean_s"]
    assert wait["replications"] == 3
    assert wait["half_width"] > 0
    other = told(capsys, str(file), "--seed", "4", "--jobs", "1")
    assert other["figures"] != alone["figures"]


def test_one_replication_has_no_interval(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = told(capsys, str(file), "--replications", "1")["figures"]
    assert figures["queues"]["sales"]["wait_mean_s"]["half_width"] is None


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (
            "queue: internet",
            "queue: web",
            ":15:5: classes.chats.queue: 'web': no such queue; there are",
        ),
        (
            "skills: [web]}\nclasses",
            "skills: [tv]}\nclasses",
            ":14:3: classes.chats: no agent has slots",
        ),
        (
            "mean_s: 200",
            "mean_s: 0",
            ":17:34: classes.chats.service.mean_s: 0: a number, above 0 and at most 31,536,000, is",
        ),
        (
            "contacts: 400, ",
            "",
            ":4:1: run: contacts or until_s is needed: calls has arrivals without",
        ),
        (
            "contacts: 100",
            "contacts: 400",
            ":4:22: run.warm_up_contacts: 400: must be less than contacts",
        ),
        (
            "kind: poisson, per_hour: 10",
            "kind: csv, file: no.csv",
            ":16:27: classes.chats.arrivals.file: 'no.csv': there is no file",
        ),
        (
            "count: 3",
            "count: 3, until_s: 1, from_s: 2",
            ":19:20: agents.team.until_s: 1: must be later",
        ),
        ("count: 3", "count: 50000", ":18:1: agents: more than 50,000 agents in all groups"),
        (
            "threshold_s: 20",
            "threshold_s: 20, policy: {wish: 1}",
            ":6:51: queues.sales.policy.wish: 1: there is no such field; there are: strategy, ",
        ),
        (
            "threshold_s: 20",
            "threshold_s: 20, policy: {requirement: 'skill(billing'}",
            ":6:51: queues.sales.policy.requirement: 'skill(billing': character 7: ",
        ),
        (
            "required_skills: [web]",
            "policy: {requirement: 'skill(\"web\") >= 7'}",
            ":14:3: classes.chats: no agent has slots for VOICE, and all else",
        ),
        (
            "count: 3",
            "count: 3, profile: {wish: 1}",
            ":19:30: agents.team.profile.wish: 1: there is no such field; there are: traits",
        ),
        (
            "count: 3",
            "count: 3, profile: {capacity_units: -3}",
            ":19:30: agents.team.profile.capacity_units: -3: there is",
        ),
        (
            "count: 3",
            "count: 3, capacity_units: -3",
            "agents.team.capacity_units: -3: a whole number, 0 to",
        ),
        (
            "count: 3",
            "count: 3, capacity_units: 4, costs: {VOICE: 5}",
            ":19:3: agents.team: cost of channel VOICE is 5, not 0 to 4",
        ),
        (
            "count: 3",
            "count: 3, costs: {CHAT: 1}",
            "agents.team.costs.CHAT: 1: names CHAT, for which",
        ),
        (
            "count: 3",
            "count: 3, interrupts: {VOICE: [CHAT]}",
            ":19:3: agents.team: interrupts of channel VOICE names CHAT, which capacity",
        ),
        (
            "kind: poisson, per_hour: 10",
            "kind: journal, directory: gone, domain: a/b, queue: q",
            ":16:31: classes.chats.arrivals.directory: 'gone': there is no directory",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line(
    file: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, why: str
) -> None:
    assert before in SCENARIO
    file.write_text(SCENARIO.replace(before, after))
    assert main(["simulate", str(file), "--jobs", "1"]) == 2
    assert why in capsys.readouterr().err


def test_everything_that_is_wrong_is_told_at_once(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SCENARIO
    for before, after in (
        ("seed: 3", "sed: 3"),
        ("contacts: 400", "contacts: many"),
        ("{service_level_threshold_s: 20}", "{ring_timeout_s: 0}"),
        (
            "[web]}\nclasses",
            "[web], policy: {steps: [{after: 3}], strategy: ANY, pull_requirement: skill(}}\nclasses",
        ),
        ("sigma: 0.8", "sigma: 9"),
        ("queue: internet", "queue: web"),
        ("mean_s: 200}", "mean_s: 200}\n    patience: {kind: never}"),
        ("team: {count: 3}", "team: {count: 3, until_s: 1, from_s: 2}"),
        (
            "skills: [web]}\n",
            "skills: [a b]}\n  web: {count: 1, skills: [a b], costs: {CHAT: 1}}\n",
        ),
    ):
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    assert main(["simulate", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    begin = [line.removeprefix(f"{file}:") for line in lines if not line.startswith(" ")]
    told = [
        "2:1: sed: 3: there is no such field",
        "4:7: run.contacts: 'many': a whole number, 1 to",
        "6:11: queues.sales.ring_timeout_s: 0: a number, above 0",
        "7:56: queues.internet.policy.steps[0].after: 3: there is no such",
        "7:68: queues.internet.policy.strategy: 'ANY': one of LONGEST_IDLE",
        "7:83: queues.internet.policy.pull_requirement: 'skill(': character 7",
        "12:45: classes.calls.service.sigma: 9: a number, above 0 and at most 5",
        "15:5: classes.chats.queue: 'web': no such queue; there are: sales, internet",
        "18:16: classes.chats.patience.kind: 'never': one of exponential",
        "20:20: agents.team.until_s: 1: must be later than from_s (2)",
        "22:3: agents.web: is there twice, first in line 21",
        "22:28: agents.web.skills[0]: 'a b': breaks the rule: pattern",
        "22:42: agents.web.costs.CHAT: 1: names CHAT, for which",
    ]
    assert len(begin) == len(told), begin
    for line, begins in zip(begin, told, strict=True):
        assert line.startswith(begins)


def test_what_depends_on_something_wrong_is_no_fault_of_its_own(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SCENARIO.replace("queues:", "queues:\n  4you: {channel: PHONE}\n  a b: {}\n  5: {}")
    text = text.replace("queue: sales", "queue: 4you").replace("queue: internet", "queue: a b")
    text = text.replace("    service: {kind: exponential, mean_s: 200}", "    servce: {kind: x}")
    text = text.replace("count: 3", "count: 3, slots: {CHAT: 0, VOICE: 1}, costs: {CHAT: 2}")
    file.write_text(text)
    assert main(["simulate", str(file)]) == 2
    told = [line.removeprefix(f"{file}:") for line in capsys.readouterr().err.splitlines()]
    assert [line[: line.index(": ", 8)] for line in told] == [
        "6:10: queues.4you.channel",
        "7:3: queues.a b",
        "8:3: queues[5]",
        "18:5: classes.chats.queue",
        "20:5: classes.chats.servce",
        "22:28: agents.team.slots.CHAT",
    ]


POLICY = """\
skills: [web]
queues:
  internet:
    channel: VOICE
    required_skills: [web]
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
    strategy: FEWEST_CONTACTS
    overflow: [{trigger: WAITED, limit: 60000, action: QUEUE, queue_id: sales}]
  sales:
    channel: VOICE
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
"""
QUEUES = """\
queues:
  sales: {service_level_threshold_s: 20}
  internet: {required_skills: [web]}
"""


def test_a_policy_file_is_as_good_as_queues_of_the_scenario(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert QUEUES in SCENARIO
    (file.parent / "policy.yaml").write_text(POLICY)
    file.write_text(SCENARIO.replace(QUEUES, "policy: policy.yaml\n"))
    by_file = told(capsys, str(file), "--jobs", "1")["figures"]
    over = "[{trigger: WAITED, limit: 60000, action: QUEUE, queue_id: sales}]"
    queues = (
        "queues:\n  sales: {service_level_threshold_s: 20}\n  internet: {required_skills: [web],"
        f" policy: {{strategy: FEWEST_CONTACTS, overflow: {over}}}}}\n"
    )
    file.write_text(SCENARIO.replace(QUEUES, queues))
    assert told(capsys, str(file), "--jobs", "1")["figures"] == by_file


@pytest.mark.parametrize(
    ("queues", "policy", "why"),
    [
        ("", POLICY, ":1:1: the file: queues is needed, or policy: the file of a policy"),
        (f"{QUEUES}policy: policy.yaml\n", POLICY, "policy: 'policy.yaml': has queues, and so"),
        ("policy: gone.yaml\n", POLICY, "small.yaml:5:1: policy: 'gone.yaml': there is no file"),
        (
            "policy: policy.yaml\n",
            POLICY.replace("strategy: FEWEST_CONTACTS", "strategy: SCORED\n    scorer: mine"),
            "queues.internet.scorer: 'mine': is not installed, these are: none",
        ),
        ("policy: policy.yaml\n", "queues: {}\n", "policy: 'policy.yaml': has no queue"),
        (
            "policy: policy.yaml\nseed: 2\n",
            POLICY.replace("60000", "0"),
            "small.yaml:6:1: seed: is there twice, first in line 2",
        ),
        (
            "policy: policy.yaml\nsed: 2\n",
            POLICY.replace("60000", "0"),
            "policy.yaml:9:34: queues.internet.overflow[0].limit: 0: is missing: WAITED needs it",
        ),
        (
            QUEUES.replace("[web]", "[web], policy: {strategy: SCORED, scorer: mine}"),
            POLICY,
            "queues.internet.policy.scorer: 'mine': is not installed, these are: none",
        ),
        (
            QUEUES.replace(
                "[web]",
                "[web], policy: {overflow: [{trigger: CLOSED, action: QUEUE, queue_id: gone}]}",
            ),
            POLICY,
            "queues.internet.policy.overflow[0].queue_id: 'gone': names no queue",
        ),
    ],
)
def test_queues_that_cannot_be_are_refused(
    file: Path, capsys: pytest.CaptureFixture[str], queues: str, policy: str, why: str
) -> None:
    (file.parent / "policy.yaml").write_text(policy)
    file.write_text(SCENARIO.replace(QUEUES, queues))
    assert main(["simulate", str(file), "--jobs", "1"]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    "path", sorted((ROOT / "loadtests/scenarios").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_examples_have_no_fault(path: Path) -> None:
    assert read_scenario(path).queues


@pytest.mark.parametrize("option", ["--jobs=0", "--replications=0", "--seed=x"])
def test_options_that_make_no_sense_are_refused(file: Path, option: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["simulate", str(file), option])
    assert end.value.code == 2


DECLARED = """\
skills: {web: 3}
languages: [en]
groups: [night]
"""


@pytest.mark.parametrize(
    ("group", "why"),
    [
        ("skills: [a b]", "skills[0]: 'a b': breaks the rule: pattern"),
        (
            "profile: {traits: {skill_levels: [{skill: web, level: 101}]}}",
            "profile.traits.skill_levels[0].level: 101: breaks the rule: max 100",
        ),
        (
            "profile: {traits: {skill_levels: [{skill: web, level: 4}]}}",
            "profile.traits.skill_levels[0].level: 4: is more than the highest declared, 3",
        ),
        ("skills: [wbe]", "skills[0]: 'wbe': is not among the declared skills"),
        (
            "profile: {traits: {languages: [en, xx]}}",
            "profile.traits.languages[1]: 'xx': is not among the declared languages",
        ),
        (
            "profile: {traits: {groups: [day]}}",
            "profile.traits.groups[0]: 'day': is not among the declared groups",
        ),
    ],
)
def test_agents_who_could_not_sign_on_or_have_undeclared_words_are_refused(
    file: Path, capsys: pytest.CaptureFixture[str], group: str, why: str
) -> None:
    (file.parent / "policy.yaml").write_text(DECLARED + POLICY.removeprefix("skills: [web]\n"))
    agents = SCENARIO.replace("team: {count: 3}", f"team: {{count: 3, {group}}}")
    file.write_text(agents.replace(QUEUES, "policy: policy.yaml\n"))
    assert main(["simulate", str(file), "--jobs", "1"]) == 2
    told = capsys.readouterr().err
    assert "small.yaml:17:" in told
    assert f"agents.team.{why}" in told
