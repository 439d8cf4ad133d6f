"""The policy of a domain through gRPC: planned without effect, applied, read, and rolled back."""

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from huntgroup.agent_state.v1.events_pb2 import CHANNEL_VOICE as AGENT_VOICE
from huntgroup.agent_state.v1.events_pb2 import AgentSignedOn, ChannelCapacity
from huntgroup.routing.v1 import commands_pb2
from huntgroup.routing.v1.events_pb2 import (
    CHANNEL_CHAT,
    CHANNEL_VOICE,
    OVERFLOW_ACTION_DISCONNECT,
    OVERFLOW_TRIGGER_WAITED,
    DeclaredSkill,
    Vocabulary,
)
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as CONTACT_VOICE
from huntgroup.session.v1.events_pb2 import ContactQueued
from huntgroup_contracts.validation import violations
from huntgroup_runtime.rpc.client import RpcRefusedError

from .conftest import DOMAIN

if TYPE_CHECKING:
    from .conftest import House


def queue(queue_id: str, **said: Any) -> commands_pb2.ConfigureQueueRequest:
    usual: dict[str, Any] = {
        "channel": CHANNEL_VOICE,
        "ring_timeout_ms": 20_000,
        "service_level_threshold_ms": 20_000,
    }
    return commands_pb2.ConfigureQueueRequest(queue_id=queue_id, **{**usual, **said})


async def read(house: "House", rpc: str, **fields: Any) -> Any:
    return await house.ask(rpc, getattr(commands_pb2, f"{rpc}Request")(domain=DOMAIN, **fields))


async def plan(house: "House", *queues: Any, **said: Any) -> commands_pb2.PlanPolicyResponse:
    apply = commands_pb2.ApplyPolicyRequest(queues=queues, **said)
    planned: commands_pb2.PlanPolicyResponse = await read(house, "PlanPolicy", apply=apply)
    return planned


async def wait_in(house: "House", queue_id: str, contact_id: str) -> None:
    fact = ContactQueued(
        contact_id=contact_id, queue_id=queue_id, channel=CONTACT_VOICE, enqueued_at_ms=999_995
    )
    await house.say(fact)


async def test_a_policy_is_planned_applied_read_and_rolled_back(house: "House") -> None:
    words = Vocabulary(skills=[DeclaredSkill(skill="tax", highest_level=5)], groups=["night"])
    sales, tax = queue("sales"), queue("tax", required_skills=["tax"])
    planned = await plan(house, sales, tax, vocabulary=words)
    assert (planned.version, len(planned.faults), planned.vocabulary_changes) == (0, 0, True)
    assert [(one.queue_id, one.kind) for one in planned.changes] == [
        ("sales", "MADE"),
        ("tax", "MADE"),
    ]
    told: dict[str, Any] = {"author": "ada", "reason": "spring", "base_version": planned.version}
    await house.call("ApplyPolicy", queues=[sales, tax], vocabulary=words, **told)
    found = await read(house, "GetPolicy")
    assert (found.version.version, found.version.author, found.version.queues) == (1, "ada", 2)
    assert [one.queue_id for one in found.queues] == ["sales", "tax"]
    assert found.vocabulary == words
    await house.call("ApplyPolicy", queues=[sales])
    await house.call("RollBackPolicy", version=1, author="grace")
    assert (await read(house, "GetPolicy")).queues == found.queues
    listed = await read(house, "ListPolicyVersions")
    assert [(one.version, one.rolled_back_to, one.queues) for one in listed.versions] == [
        (3, 1, 1),
        (2, 0, 1),
        (1, 0, 2),
    ]
    assert (await read(house, "GetPolicy", version=2)).queues == found.queues[:1]


async def test_what_is_read_can_be_applied_and_changes_nothing(house: "House") -> None:
    steps = [{"after_ms": 5_000, "requirement": 'skill("tax") >= 2'}]
    await house.call("ApplyPolicy", queues=[queue("tax", requirement='skill("tax")', steps=steps)])
    found = await read(house, "GetPolicy")
    assert not (await plan(house, *found.queues)).changes


async def test_a_plan_tells_what_becomes_of_those_who_wait(house: "House") -> None:
    await house.call("ApplyPolicy", queues=[queue("sales"), queue("old")])
    for number in range(3):
        await wait_in(house, "sales", f"c{number}")
    await wait_in(house, "old", "late")
    tax = queue("sales", required_skills=["tax"], ring_timeout_ms=9_000)
    planned = await plan(house, tax, applies_to_waiting=True)
    old, sales = planned.changes
    assert (old.kind, old.waiting) == ("RETIRED", 1)
    assert (sales.waiting, sales.change_requirement, sales.become_unservable) == (3, 3, 0)
    assert {one.field: (one.before, one.after) for one in sales.fields} == {
        "required_skills": ("[]", '["tax"]'),
        "ring_timeout_ms": ("20000", "9000"),
    }
    (_, kept) = (await plan(house, tax)).changes
    assert kept.change_requirement == 0
    assert (await read(house, "GetPolicy")).version.version == 1, "a plan changes nothing"


async def test_a_plan_tells_who_has_waited_too_long_for_it(house: "House") -> None:
    steps = [{"after_ms": 5_000, "requirement": 'skill("tax")'}]
    away = {"trigger": OVERFLOW_TRIGGER_WAITED, "action": OVERFLOW_ACTION_DISCONNECT}
    await house.call("ApplyPolicy", queues=[queue("sales", steps=steps)])
    await wait_in(house, "sales", "ada")
    await house.jump()
    for limit, at_once in ((5_500, 0), (5_001, 0), (1, 1)):
        short = queue(
            "sales", steps=steps if limit > 5_000 else [], overflow=[{**away, "limit": limit}]
        )
        (sales,) = (await plan(house, short, applies_to_waiting=True)).changes
        assert (sales.change_leaving, sales.leave_at_once) == (1, at_once)


async def test_a_plan_tells_where_nobody_could_serve_who_comes(house: "House") -> None:
    """An agent who is signed on counts, busy or not; so does one whom a later step, or a delayed group, asks for."""
    voice = [ChannelCapacity(channel=AGENT_VOICE, slots=1)]
    await house.say(AgentSignedOn(agent_id="ada", skills=["tax"], capacity=voice))
    relaxed = [{"after_ms": 5_000, "requirement": 'skill("tax")'}]
    late = [{"group": "leads"}, {"group": "", "delay_ms": 9_000}]
    planned = await plan(
        house,
        queue("chats", channel=CHANNEL_CHAT),
        queue("late", groups=late),
        queue("loans", required_skills=["loan"]),
        queue("relaxed", required_skills=["loan"], steps=relaxed),
        queue("tax", required_skills=["tax"]),
    )
    assert {one.queue_id: one.no_agent_for_new for one in planned.changes} == {
        "chats": True,
        "late": False,
        "loans": True,
        "relaxed": False,
        "tax": False,
    }


async def test_those_who_wait_follow_through_the_journal(house: "House") -> None:
    await house.call("ApplyPolicy", queues=[queue("sales")])
    await wait_in(house, "sales", "ada")
    tax = queue("sales", required_skills=["tax"])
    await house.call("ApplyPolicy", queues=[tax], applies_to_waiting=True)
    await house.settle()
    assert (await house.contact("ada")).required_skills == ["tax"]


async def test_a_plan_names_every_fault(house: "House") -> None:
    words = Vocabulary(skills=[DeclaredSkill(skill="tax")])
    planned = await plan(
        house, queue("a", requirement="lang ="), queue("b", required_skills=["x"]), vocabulary=words
    )
    assert planned.faults[0].startswith("queues[0].requirement: 'lang =': character 6: ")
    assert planned.faults[1:] == [
        "queues[1].required_skills[0]: 'x': is not among the declared skills"
    ]


@pytest.mark.parametrize(
    ("rpc", "fields", "status", "reason"),
    [
        ("ApplyPolicy", {"base_version": 3}, "ABORTED", "POLICY_CHANGED"),
        (
            "ApplyPolicy",
            {"queues": [queue("a", requirement="lang =")]},
            "INVALID_ARGUMENT",
            "POLICY_INVALID",
        ),
        (
            "ApplyPolicy",
            {"queues": [queue("a", ring_timeout_ms=0)]},
            "INVALID_ARGUMENT",
            "INVALID_REQUEST",
        ),
        ("RollBackPolicy", {"version": 9}, "NOT_FOUND", "POLICY_VERSION_UNKNOWN"),
    ],
)
async def test_what_cannot_be_is_refused_with_status_and_reason(
    house: "House", rpc: str, fields: dict[str, Any], status: str, reason: str
) -> None:
    await house.call("ConfigureQueue", **{"queue_id": "a", **given(queue("a"))})
    with pytest.raises(RpcRefusedError) as refused:
        await house.call(rpc, **fields)
    assert (refused.value.status, refused.value.reason) == (grpc.StatusCode[status], reason)


def given(request: commands_pb2.ConfigureQueueRequest) -> dict[str, Any]:
    return {one.name: value for one, value in request.ListFields() if one.name != "queue_id"}


def test_nobody_goes_back_to_before_the_first_version() -> None:
    request = commands_pb2.RollBackPolicyRequest(version=0)
    assert ("version", "required") in [(one.field, one.rule) for one in violations(request)]


async def test_a_version_that_is_not_remembered_cannot_be_read(house: "House") -> None:
    with pytest.raises(RpcRefusedError) as refused:
        await read(house, "GetPolicy", version=2)
    assert refused.value.reason == "POLICY_VERSION_UNKNOWN"
    assert (await read(house, "GetPolicy")).version.version == 0
