"""A policy file becomes the request that it means, or is told line by line what is wrong with it."""

import json
from pathlib import Path

import pytest
import yaml

from huntgroup.routing.v1.commands_pb2 import ApplyPolicyRequest, GetPolicyResponse
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE, SELECTION_STRATEGY_BEST_SKILL
from huntgroup_onebox.policy.policy_file import (
    COMMAND,
    placed,
    queue_fields,
    read_policy,
)
from huntgroup_onebox.policy.request_reader import enum_names
from huntgroup_onebox.policy.text import file_text
from huntgroup_routing.core.soundness import rules_and_faults
from huntgroup_routing.core.values import Vocabulary

ROOT = Path(__file__).resolve().parents[4]
EXAMPLES = sorted((ROOT / "loadtests/policies").glob("*.yaml"))

GOOD = """\
skills: {tax: 5, loan: }
languages: [ar, fa]
groups: [night]
queues:
  sales:
    channel: VOICE
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
  tax:
    channel: VOICE
    required_skills: [tax]
    ring_timeout_ms: 9000
    service_level_threshold_ms: 20000
    strategy: BEST_SKILL
    requirement: skill("tax") >= 3
    steps:
      - after_ms: 30000
        requirement: lang in ("ar", "fa") or group == "night"
"""


def read(tmp_path: Path, text: str) -> tuple[ApplyPolicyRequest, list[str]]:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    request, errors = read_policy(file)
    return request, [str(error).removeprefix(f"{file}:") for error in errors]


def test_a_file_is_the_request_that_it_means(tmp_path: Path) -> None:
    request, errors = read(tmp_path, GOOD)
    assert errors == []
    sales, tax = request.queues
    assert (sales.queue_id, sales.channel, sales.ring_timeout_ms) == (
        "sales",
        CHANNEL_VOICE,
        20_000,
    )
    assert (list(tax.required_skills), tax.strategy) == (["tax"], SELECTION_STRATEGY_BEST_SKILL)
    assert tax.steps[0].after_ms == 30_000
    words = request.vocabulary
    assert [(one.skill, one.highest_level) for one in words.skills] == [("tax", 5), ("loan", 0)]
    assert (list(words.languages), list(words.groups)) == (["ar", "fa"], ["night"])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    request, _ = read(tmp_path, GOOD)
    policy = GetPolicyResponse(queues=request.queues, vocabulary=request.vocabulary)
    again, errors = read(tmp_path, file_text(policy))
    assert errors == []
    assert again == request


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            "tax: 5",
            "tax: high",
            ["1:10: skills.tax: 'high': a whole number is expected, or nothing"],
        ),
        ("tax: 5", "tax: 500", ["1:10: skills.tax: 500: breaks the rule: max 100"]),
        ("[night]", "night", ["3:1: groups: 'night': a list of names is expected"]),
        ("queues:", "queue:", ["1:1: the file: queues is", "4:1: queue: there is no such field"]),
        ("  sales:", "  5:", ["5:3: queues[5]: the name of a queue is text"]),
        ("  sales:", "  a sale:", ["5:3: queues.a sale: breaks the rule: pattern"]),
        ("VOICE", "voice", ["6:5: queues.sales.channel: 'voice': one of VOICE, CHAT,"]),
        ("20000", "0", ["7:5: queues.sales.ring_timeout_ms: 0: breaks the rule: required"]),
        ("20000", "yes", ["7:5: queues.sales.ring_timeout_ms: True: a whole number"]),
        ("20000", "99999999999", ["7:5: queues.sales.ring_timeout_ms: 99999999999: the number"]),
        ("[tax]", "tax", ["11:5: queues.tax.required_skills: 'tax': a list is expected"]),
        ("[tax]", "[tax, 7]", ["11:28: queues.tax.required_skills[1]: 7: text is expected"]),
        (
            "[tax]",
            "[tacks]",
            ["11:23: queues.tax.required_skills[0]: 'tacks': is not among"],
        ),
        (
            '"tax") >= 3',
            '"tacks") >= 3',
            ["15:5: queues.tax.requirement: 'skill(\"tacks\") >= 3': skill 'tacks' is not among"],
        ),
        (
            '"tax") >= 3',
            '"tax") >= 6',
            ["15:5: queues.tax.requirement: 'skill(\"tax\") >= 6': nobody"],
        ),
        (
            '"tax") >= 3',
            '"tax") < 1',
            ["15:5: queues.tax.requirement: 'skill(\"tax\") < 1': nobody"],
        ),
        (
            '"tax") >= 3',
            '"tax" >= 3',
            ["15:5: queues.tax.requirement: 'skill(\"tax\" >= 3': character"],
        ),
        (
            "    channel: VOICE\n    ring_timeout_ms: 20000\n",
            (
                "    channel: CHAT\n    ring_timeout_ms: 20000\n"
                "    overflow: [{trigger: WAITED, limit: 60000, action: QUEUE, queue_id: tax}]\n"
            ),
            [
                "8:63: queues.sales.overflow[0].queue_id: 'tax': takes VOICE alone, and this queue CHAT"
            ],
        ),
        (
            "after_ms: 30000",
            "after: 30000",
            ["17:9: queues.tax.steps[0].after: 30000: there is no"],
        ),
        (
            'lang in ("ar", "fa")',
            'lang in ("ar", "en")',
            ['18:9: queues.tax.steps[0].requirement: \'lang in ("ar", "en") or group'],
        ),
        (
            "      - after_ms: 30000\n",
            "      - {after_ms: 90000}\n      - after_ms: 30000\n",
            ["18:9: queues.tax.steps[1].after_ms: 30000: is not later than 90000"],
        ),
        ("[night]", "[night, day, night]", ["3:22: groups[2]: 'night': is there twice"]),
        (
            "    ring_timeout_ms: 20000\n",
            "    ring_timeout_ms: 20000\n    ring_max: 3\n    scorer: mine\n",
            [
                "8:5: queues.sales.ring_max: 3: says nothing: strategy LONGEST_IDLE does not use it",
                "9:5: queues.sales.scorer: 'mine': says nothing: strategy LONGEST_IDLE does not",
            ],
        ),
        (
            "    ring_timeout_ms: 20000\n",
            "    ring_timeout_ms: 20000\n    callback_retry_ms: 5000\n",
            ["8:5: queues.sales.callback_retry_ms: 5000: says nothing: without callback_attempts"],
        ),
        (
            "    ring_timeout_ms: 20000\n",
            (
                "    ring_timeout_ms: 20000\n    waiting_max: 4\n    overflow:\n"
                "    - {trigger: QUEUE_LENGTH, limit: 5, action: DISCONNECT}\n"
            ),
            ["10:31: queues.sales.overflow[0].limit: 5: is never come to: waiting_max is 4"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, before: str, after: str, told: list[str]
) -> None:
    assert before in GOOD
    _, errors = read(tmp_path, GOOD.replace(before, after, 1))
    assert len(errors) == len(told), errors
    for error, begins in zip(errors, told, strict=True):
        assert error.startswith(begins)


def test_names_that_are_there_twice_are_told_of_beside_all_else(tmp_path: Path) -> None:
    twice = GOOD.replace("[night]", "[night]\ngroups: [day]")
    twice += "    steps: []\n  sales: {channel: VOICE, ring_timeout_ms: 0}\n"
    _, errors = read(tmp_path, twice)
    told = [
        "4:1: groups: is there twice, first in line 3",
        "20:5: queues.tax.steps: is there twice, first in line 17",
        "21:3: queues.sales: is there twice, first in line 6",
        "21:3: queues.sales.service_level_threshold_ms: breaks the rule: required",
        "21:27: queues.sales.ring_timeout_ms: 0: breaks the rule: required",
    ]
    assert errors == told


def test_queues_that_overflow_in_a_circle_are_told_of(tmp_path: Path) -> None:
    sends = "    overflow: [{trigger: WAITED, limit: 60000, action: QUEUE, queue_id: %s}]\n"
    text = GOOD.replace("  tax:\n", sends % "tax" + "  tax:\n") + sends % "sales"
    _, errors = read(tmp_path, text)
    assert errors == ["9:5: queues.sales.overflow: goes in a circle: sales to tax to sales"]
    _, errors = read(tmp_path, GOOD + sends % "nowhere")
    assert errors == [
        "19:63: queues.tax.overflow[0].queue_id: 'nowhere': names no queue of this domain"
    ]


def test_a_step_after_everybody_has_left_is_told_of(tmp_path: Path) -> None:
    leaves = "    overflow: [{trigger: WAITED, limit: 30000, action: DISCONNECT}]\n"
    _, errors = read(tmp_path, GOOD + leaves)
    (told,) = errors
    assert told.startswith("17:9: queues.tax.steps[0].after_ms: 30000: is never come to: ")
    assert told.endswith("overflow[0] lets contacts go after 30000")


def test_the_words_of_who_may_pull_are_looked_at(tmp_path: Path) -> None:
    _, errors = read(tmp_path, GOOD + "    pull_requirement: group == 'leads'\n".replace("'", '"'))
    (told,) = errors
    assert told.startswith("19:5: queues.tax.pull_requirement: ")
    assert told.endswith("group 'leads' is not among the declared groups")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"tax") >= 3', '"tax") >= 7').replace('"night"', '"day"')
    _, errors = read(tmp_path, text)
    assert [error.partition(":")[0] for error in errors] == ["15", "18"]


def test_faults_of_every_kind_are_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("tax: 5", "tax: high")  # a type
        .replace("VOICE", "VOICES", 1)  # a word
        .replace("9000", "0")  # the rule of a field
        .replace('"tax") >= 3', '"tax" >= 3')  # what cannot be read
        .replace("after_ms", "after")  # a name
        .replace("    strategy: BEST_SKILL\n", "    overflow: [{trigger: CLOSED, action: QUEUE}]\n")
    )
    _, errors = read(tmp_path, text)
    assert [error.split(": ")[:2] for error in errors] == [
        ["1:10", "skills.tax"],
        ["6:5", "queues.sales.channel"],
        ["12:5", "queues.tax.ring_timeout_ms"],
        ["14:16", "queues.tax.overflow[0].queue_id"],
        ["15:5", "queues.tax.requirement"],
        ["17:9", "queues.tax.steps[0].after"],
    ], errors


def test_a_fault_makes_up_no_other(tmp_path: Path) -> None:
    sends = "    overflow: [{trigger: CLOSED, action: QUEUE, queue_id: sales}]\n"
    for before, after in (
        ("  sales:\n", "  sales: 5\n  other:\n"),
        ("requirement: skill", "requirement: 5 # skill"),
        ("languages: [ar, fa]", "languages: [5]"),
    ):
        _, errors = read(tmp_path, GOOD.replace(before, after, 1) + sends)
        assert len(errors) == 1, errors


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_have_no_fault_and_keep_to_the_schema(path: Path) -> None:
    request, errors = read_policy(path)
    assert (errors, len(request.queues) > 0) == ([], True)
    schema = json.loads((ROOT / "docs/reference/policy.schema.json").read_text())
    queue = schema["$defs"]["ConfigureQueueRequest"]
    for said in yaml.safe_load(path.read_text())["queues"].values():
        assert said.keys() <= queue["properties"].keys()
        assert set(queue["required"]) <= said.keys()


def test_the_schema_knows_every_field_that_a_file_may_have_and_all_its_values() -> None:
    schema = json.loads((ROOT / "docs/reference/policy.schema.json").read_text())
    looked_at = [("ConfigureQueueRequest", queue_fields())]
    for name, fields in looked_at:
        properties = schema["$defs"][name]["properties"]
        assert properties.keys() == {one.name for one in fields}
        for one in fields:
            said = properties[one.name].get("items", properties[one.name])
            if one.enum_type is not None:
                assert said["enum"] == enum_names(one)
            if one.message_type is not None:
                looked_at.append((one.message_type.name, list(one.message_type.fields)))
    assert len(looked_at) > 1


def test_the_api_tells_a_fault_in_the_words_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("[tax]", "[tacks]").replace("after_ms: 30000", "trigger: QUEUE_LENGTH")
    request, errors = read(tmp_path, text)
    _, faults = rules_and_faults(
        COMMAND.decode(request).queues, COMMAND.decode(request).vocabulary or Vocabulary(), 0
    )
    told = sorted(str(one).replace("queues[1]", "queues.tax") for one in faults)
    assert len(told) == 2
    assert sorted(error.split(": ", 1)[1] for error in errors) == told
    again = sorted(placed(tmp_path / "policy.yaml", map(str, faults)))
    assert again == sorted(f"{tmp_path / 'policy.yaml'}:{error}" for error in errors)


def test_a_channel_that_cannot_be_read_is_no_wrong_channel(tmp_path: Path) -> None:
    """What a faulty queue takes is not known: nothing is made up about the rules that lead there."""
    to_tax = "    overflow: [{trigger: WAITED, limit: 60000, action: QUEUE, queue_id: tax}]\n"
    text = GOOD.replace("    channel: VOICE\n", f"    channel: CHAT\n{to_tax}", 1)
    _, errors = read(tmp_path, text.replace("channel: VOICE", "channel: CHATS"))
    assert [error.split(" ")[1] for error in errors] == ["queues.tax.channel:"]
