"""`huntgroup shadow` at the terminal: a policy file, and a journal that routing's own core wrote."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from huntgroup_contracts.registry import event_class
from huntgroup_onebox.cli import main
from huntgroup_onebox.shadow import other_policy
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core.messages import (
    AcceptOffer,
    ChannelCapacity,
    Command,
    ConfigureQueue,
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveAgentWentReady,
    ObserveContactQueued,
    Refused,
)
from huntgroup_routing.core.values import AgentId, Channel, ContactId, OfferId, QueueId, Skill
from services.onebox.tests.audit.written_log import DOMAIN, WrittenLog

Told = list[tuple[int, Command]]
"""What was told, and in which second."""

T = 1_800_000_000
SECOND_LINE = QueueId("second-line")
SALES = ConfigureQueue(
    queue_id=QueueId("sales"),
    channel=Channel.VOICE,
    required_skills=(Skill("sales"),),
    ring_timeout_ms=20_000,
    wrap_up_timeout_ms=0,
    service_level_threshold_ms=20_000,
    waiting_max=0,
)
SECOND = replace(SALES, queue_id=SECOND_LINE, required_skills=(Skill("second"),))
QUEUE = """
    channel: VOICE
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
    required_skills: """
SAME = f"skills: [sales, second, third]\nqueues:\n  sales:{QUEUE}[sales]"
TO_SECOND = f"""{SAME}
    overflow:
      - {{trigger: WAITED, limit: 60000, action: QUEUE, queue_id: second-line}}
"""
ADDED = f"{TO_SECOND}  second-line:{QUEUE}[second]\n"
TWICE = f"""{TO_SECOND}  second-line:{QUEUE}[third]
    overflow:
      - {{trigger: NOBODY_ON_DUTY, action: QUEUE, queue_id: line-3}}
  line-3:{QUEUE}[second]
"""


def works(agent: str) -> list[Command]:
    voice, agent_id = ChannelCapacity(channel=Channel.VOICE, slots=1), AgentId(agent)
    return [
        ObserveAgentSignedOn(agent_id=agent_id, skills=(Skill(agent),), capacity=(voice,)),
        ObserveAgentWentReady(agent_id=agent_id),
    ]


def comes(name: str, second: int) -> tuple[int, Command]:
    return second, ObserveContactQueued(
        contact_id=ContactId(name),
        queue_id=SALES.queue_id,
        channel=Channel.VOICE,
        priority=0,
        required_skills=(),
        enqueued_at_ms=(T + second) * 1_000,
    )


def served(name: str, answered: int, freed: int) -> Told:
    offer_id, agent_id = OfferId(f"{name}.1"), AgentId("sales")
    return [
        (answered, AcceptOffer(offer_id=offer_id, agent_id=agent_id)),
        (freed, ObserveAgentReleased(offer_id=offer_id, agent_id=agent_id)),
    ]


DAY: Told = [
    *((1, one) for one in (*works("sales"), *works("second"))),
    *[comes("ada", 2), comes("ben", 4)],
    *[*served("ada", 3, 300), *served("ben", 302, 400)],
]
"""Ben waits for the one agent of sales, who talks to Ada for five minutes."""


def kept(told: Told, directory: Path) -> str:
    core, codec, log = RoutingCore(), event_codec(), WrittenLog()
    state = core.initial(DOMAIN)
    for second, command in sorted(told, key=lambda one: one[0]):
        decided = core.decide(state, command, (T + second) * 1_000)
        assert not isinstance(decided, Refused)
        for event in decided:
            state = core.evolve(state, event)
        written = [codec.encode(one) for one in decided]
        if written:
            log.tell("routing", *(event_class(kind).FromString(said) for kind, said in written))
    asyncio.run(log.keep(directory))
    return str(directory)


def shadow(told: Told, policy: str, folder: Path, *more: str) -> int:
    folder.mkdir(exist_ok=True)
    (folder / "policy.yaml").write_text(policy)
    log = kept(told, folder / "log")
    return main(["shadow", str(folder / "policy.yaml"), log, "--domain", DOMAIN, *more])


def reported(
    told: Told, policy: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    assert shadow(told, policy, folder, "--json") == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_the_policy_that_the_queue_had_makes_nothing_different(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = reported([(0, SALES), *DAY], SAME, tmp_path, capsys)
    assert (said["offers"], said["same_offers"]) == (2, 2)
    sales = said["queues"]["sales"]
    assert sales["real"] == sales["shadow"]


@pytest.mark.parametrize("policy", [ADDED, TWICE], ids=["a queue", "and another one behind it"])
@pytest.mark.parametrize(
    "queues",
    [
        [(0, SALES)],
        [(0, SALES), (350, SECOND)],
        [(0, SECOND), (0, SALES)],
    ],
    ids=["never", "later", "from the beginning"],
)
def test_a_queue_that_the_policy_sends_contacts_to_is_there_whenever_it_really_was_made(
    policy: str,
    queues: Sequence[tuple[int, Command]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sales = reported([*queues, *DAY], policy, tmp_path, capsys)["queues"]["sales"]
    assert (sales["same_agent"], sales["other_agent"]) == (1, 1)
    assert sales["real"]["wait_mean_s"] == (1 + 298) / 2
    assert sales["shadow"]["wait_mean_s"] == (1 + 60 + 2) / 2  # he rings as long as he did


def test_queues_that_never_really_were_are_told_lest_one_is_misspelt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = reported([(0, SALES), *DAY], SAME.replace("  sales:", "  slaes:"), tmp_path, capsys)
    assert said["queues_added"] == ["slaes"]
    assert said["same_offers"] == 2
    assert shadow([(0, SALES), *DAY], ADDED, tmp_path / "again") == 0
    told = "Never really there, so that only rules lead to them: second-line."
    assert told in capsys.readouterr().out


def test_who_still_waits_or_rings_where_the_log_ends_is_not_over_yet_and_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, live = [(0, SALES), *DAY], [(0, SALES), *DAY, comes("cem", 395), comes("dan", 410)]
    whole = reported(ended, ADDED, tmp_path / "ended", capsys)["queues"]["sales"]
    cut = reported(live, ADDED, tmp_path / "live", capsys)["queues"]["sales"]
    assert (whole.pop("not_over_yet"), cut.pop("not_over_yet")) == (0, 2)
    assert cut == whole
    assert shadow(ended, ADDED, tmp_path / "ended again") == 0
    assert "Not over yet" not in capsys.readouterr().out
    assert shadow(live, ADDED, tmp_path / "live again") == 0
    told = "Not over yet: 2 still wait or ring where the log ends, and are in no figure: sales 2."
    assert told in capsys.readouterr().out


def test_more_queues_than_a_domain_may_have_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_policy, "QUEUES_MAX", 1)
    assert shadow([(0, SALES), *DAY], ADDED, tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "queue second-line: a domain has at most 1 queues" in err
