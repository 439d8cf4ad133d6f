"""`huntgroup explain` at the terminal: the story of a contact, from a journal that routing's own core wrote."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from huntgroup_contracts.registry import event_class
from huntgroup_onebox.cli import main
from huntgroup_onebox.explain_story import PASSED_OVER_SHOWN, Story
from huntgroup_routing.adapters.mapping import event_codec
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core import messages as routing
from huntgroup_routing.core.blending import BlendRule, BlendTrigger
from huntgroup_routing.core.values import (
    AgentId,
    AgentTraits,
    Channel,
    ContactId,
    DequeueReason,
    OfferId,
    QueueId,
    RoutingStep,
    ServingGroup,
    Skill,
    StepTrigger,
)

from .written_log import DOMAIN, WrittenLog

T = 1_800_000_000_000
GERMAN = (Skill("german"),)
SALES = routing.ConfigureQueue(
    queue_id=QueueId("sales"),
    channel=Channel.VOICE,
    required_skills=(),
    ring_timeout_ms=20_000,
    wrap_up_timeout_ms=0,
    service_level_threshold_ms=20_000,
    waiting_max=0,
)


def comes(
    contact_id: str, seconds: int, *skills: Skill, queue_id: str = "sales"
) -> tuple[int, routing.Command]:
    queued = routing.ObserveContactQueued(
        contact_id=ContactId(contact_id),
        queue_id=QueueId(queue_id),
        channel=Channel.VOICE,
        priority=0,
        required_skills=skills,
        enqueued_at_ms=T + seconds * 1_000,
    )
    return seconds, queued


def works(
    agent_id: str, seconds: int, *skills: Skill, slots: int = 1
) -> list[tuple[int, routing.Command]]:
    voice = (routing.ChannelCapacity(channel=Channel.VOICE, slots=slots),)
    agent = AgentId(agent_id)
    return [
        (seconds, routing.ObserveAgentSignedOn(agent_id=agent, skills=skills, capacity=voice)),
        (seconds, routing.ObserveAgentWentReady(agent_id=agent)),
    ]


def answers(
    contact_id: str, attempt: int, agent_id: str, seconds: int, kind: type
) -> tuple[int, routing.Command]:
    offer_id, agent = OfferId(f"{contact_id}.{attempt}"), AgentId(agent_id)
    if kind is routing.RejectOffer:
        return seconds, routing.RejectOffer(offer_id=offer_id, agent_id=agent, reason="lunch")
    return seconds, routing.AcceptOffer(offer_id=offer_id, agent_id=agent)


def events(told: Sequence[tuple[int, routing.Command]]) -> list[routing.Event]:
    """Return what the core makes of commands."""
    core, found = RoutingCore(), list[routing.Event]()
    state = core.initial(DOMAIN)
    for seconds, command in told:
        decided = core.decide(state, command, T + seconds * 1_000)
        assert not isinstance(decided, routing.Refused)
        for event in decided:
            state = core.evolve(state, event)
        found += decided
    return found


ADA: list[tuple[int, routing.Command]] = [
    (0, SALES),
    comes("ada", 1, *GERMAN),
    comes("ben", 2),
    *works("grace", 3),
    *works("alan", 5, *GERMAN),
    answers("ada", 1, "alan", 6, routing.RejectOffer),
    *works("edsger", 7, *GERMAN),
    answers("ada", 2, "edsger", 9, routing.AcceptOffer),
]


def kept(told: Sequence[tuple[int, routing.Command]], directory: Path) -> str:
    log, codec = WrittenLog(), event_codec()
    for event in events(told):
        type_, payload = codec.encode(event)
        log.tell("routing", event_class(type_).FromString(payload))
    asyncio.run(log.keep(directory))
    return str(directory)


def test_a_page_says_who_was_asked_and_why_and_who_went_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "ada", kept(ADA, tmp_path)]) == 0
    day = "2027-01-15 08:00"
    assert capsys.readouterr().out.splitlines() == [
        "contact ada in acme/emea (times in UTC)",
        "",
        f"{day}:01.000  took its place      in sales, priority 0; it needs voice, german",
        " " * 27 + "0 agents signed on can serve it: 0 free, 0 busy, 0 not ready",
        " " * 27 + f"{day}:03.000 contact ben of sales went before: grace lacks german",
        f"{day}:05.000  rings at alan       offer 1",
        " " * 27 + "alan became idle and got the first of the contacts they may serve:"
        f" priority 0, waiting since {day}:01.000",
        " " * 27 + "by version 1 of queue sales, which counts its own changes alone",
        f"{day}:06.000  rejected by alan    after 1.000 s: lunch",
        f"{day}:06.000  waits on            at its old place, with its age",
        f"{day}:07.000  rings at edsger     offer 2",
        " " * 27 + "edsger became idle and got the first of the contacts they may serve:"
        f" priority 0, waiting since {day}:01.000",
        " " * 27 + "by version 1 of queue sales, which counts its own changes alone",
        f"{day}:09.000  accepted by edsger  after ringing 2.000 s",
    ]


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = kept(ADA, tmp_path)
    assert main(["explain", "ada", directory, "--json", "--domain", DOMAIN]) == 0
    told = json.loads(capsys.readouterr().out)
    steps = told["domains"][DOMAIN]
    assert told["contact_id"] == "ada"
    assert [one["what"] for one in steps][-1] == "accepted by edsger"
    assert steps[0]["at_ms"] == T + 1_000


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["nobody"], 1, "has no contact 'nobody'"),
        (["ada", "--domain", "acme/apac"], 1, "has no contact 'ada' in acme/apac"),
        (["ada", "--kafka", "127.0.0.1:1"], 2, "name one log"),
    ],
)
def test_a_story_that_cannot_be_told_says_why(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    why: str,
) -> None:
    directory = kept(ADA, tmp_path)
    assert main(["explain", arguments[0], directory, *arguments[1:]]) == code
    assert why in capsys.readouterr().err


def test_a_contact_that_waits_still_tells_who_went_before_it() -> None:
    story = Story("ada")
    told = [(0, SALES), comes("ada", 1, *GERMAN), *works("grace", 2)]
    for number in range(PASSED_OVER_SHOWN + 3):
        told.append(comes(f"c{number}", 3 + number))
        told.append(answers(f"c{number}", 1, "grace", 3 + number, routing.AcceptOffer))
        told.append(
            (
                3 + number,
                routing.ObserveAgentReleased(
                    agent_id=AgentId("grace"), offer_id=OfferId(f"c{number}.1")
                ),
            )
        )
    for event in events(told):
        story.take(event)
    (step,) = story.finish()
    assert len(step.details) == 1 + PASSED_OVER_SHOWN + 1
    assert step.details[-1] == "and 3 more contacts went before"


def test_a_journal_without_its_beginning_tells_what_is_left() -> None:
    story = Story("ada")
    for event in events(ADA):
        if not isinstance(event, routing.AgentJoined | routing.QueueConfigured):
            story.take(event)
    steps = story.finish()
    assert "what grace can do is not in what is left of the journal" in steps[0].details[1]
    assert steps[-1].what == "accepted by edsger"


def test_who_let_the_contact_go_and_took_another_is_told() -> None:
    story = Story("ada")
    told = [
        (0, SALES),
        *works("grace", 0, slots=2),
        comes("ada", 1),
        answers("ada", 1, "grace", 2, routing.RejectOffer),
        comes("ben", 3),
    ]
    for event in events(told):
        story.take(event)
    assert (
        "contact ben of sales went before: grace let it go a moment ago"
        in (story.finish()[-1].details[0])
    )


def test_why_an_agent_with_a_slot_is_not_free_is_told() -> None:
    story = Story("ada")
    chat = routing.ChannelCapacity(channel=Channel.CHAT, slots=2, cost=1)
    voice = routing.ChannelCapacity(
        channel=Channel.VOICE, slots=2, cost=2, interrupts=(Channel.CHAT,)
    )
    agents = ("grace", (voice, chat)), ("alan", (structs.replace(voice, interrupts=()), chat))
    told: list[tuple[int, routing.Command]] = [
        (0, SALES),
        (0, replace(SALES, queue_id=QueueId("chats"), channel=Channel.CHAT)),
    ]
    for agent_id, capacity in agents:
        signed_on = routing.ObserveAgentSignedOn(
            agent_id=AgentId(agent_id), skills=(), capacity=capacity, capacity_units=2
        )
        ready = routing.ObserveAgentWentReady(agent_id=AgentId(agent_id))
        told += [(0, signed_on), (0, ready)]
    _, ada = comes("ada", 3, queue_id="chats")
    assert isinstance(ada, routing.ObserveContactQueued)
    told += [comes("ben", 1), comes("cai", 2), (3, structs.replace(ada, channel=Channel.CHAT))]
    for event in events(told):
        story.take(event)
    (step,) = story.finish()
    assert step.details[0] == (
        "2 agents signed on can serve it: 0 free, 2 busy, 0 not ready;"
        " grace holds VOICE, which interrupts CHAT, alan has 2 of 2 units taken, and CHAT costs 1"
    )


def test_who_does_not_meet_the_requirement_is_told() -> None:
    story = Story("ada")
    told = [
        (0, replace(SALES, requirement='lang == "ar" or agent == "alan"')),
        (0, replace(SALES, queue_id=QueueId("other"))),
        comes("ada", 1),
        comes("ben", 2, queue_id="other"),
        *works("grace", 3),
    ]
    for event in events(told):
        story.take(event)
    (step,) = story.finish()
    assert 'it needs voice and agent == "alan" or lang == "ar"' in step.text
    assert 'grace does not meet agent == "alan" or lang == "ar"' in step.details[1]


def passed_over(
    queue: routing.ConfigureQueue, of_ada: Mapping[str, Any], of_ben: Mapping[str, Any]
) -> Story:
    """Return the story of ada, whom grace is not offered when she is free; ben, behind her, is."""
    story, (_, ada), (_, ben) = Story("ada"), comes("ada", 5), comes("ben", 6)
    assert isinstance(ada, routing.ObserveContactQueued)
    assert isinstance(ben, routing.ObserveContactQueued)
    told: list[tuple[int, routing.Command]] = [
        (0, queue),
        *works("grace", 1),
        *works("alan", 2),
        comes("c1", 3),
        comes("c2", 4),
        answers("c1", 1, "grace", 4, routing.AcceptOffer),
        answers("c2", 1, "alan", 4, routing.AcceptOffer),
        (5, structs.replace(ada, **of_ada)),
        (6, structs.replace(ben, **of_ben)),
        (8, routing.ObserveAgentReleased(agent_id=AgentId("grace"), offer_id=OfferId("c1.1"))),
    ]
    for event in events(told):
        story.take(event)
    story.finish()
    return story


HOLDS = replace(SALES, preferred_hold_ms=60_000, direct_hold_ms=60_000)


@pytest.mark.parametrize(
    ("of_ada", "of_ben", "why"),
    [
        (
            {"preferred_agents": (AgentId("alan"),)},
            {},
            "it waited for alan at first, until 2027-01-15 08:01:05.000",
        ),
        ({"direct_agent_id": AgentId("alan")}, {}, "it was for alan alone"),
        (
            {},
            {"preferred_agents": (AgentId("grace"),)},
            "that one waited for grace at first, until 2027-01-15 08:01:06.000",
        ),
        ({}, {"direct_agent_id": AgentId("grace")}, "that one was for grace alone"),
    ],
)
def test_who_waits_for_certain_agents_is_told(
    of_ada: Mapping[str, Any], of_ben: Mapping[str, Any], why: str
) -> None:
    (step,) = passed_over(HOLDS, of_ada, of_ben).steps
    assert step.details[1].endswith(f"contact ben of sales went before: {why}")


def test_a_callback_that_awaits_its_turn_is_passed_over_by_who_comes() -> None:
    story = Story("ada")
    queue = replace(SALES, callback_attempts=1, callback_dial_ms=10_000)
    (_, ada), told = comes("ada", 2), events([(0, queue), *works("grace", 1), comes("ben", 3)])
    assert isinstance(ada, routing.ObserveContactQueued)
    waiting = events([(0, queue), (2, structs.replace(ada, awaits_turn=True))])[1]
    for event in (*told[:-2], waiting, *told[-2:]):
        story.take(event)
    assert "nobody is asked for it before its turn is near" in story.finish()[0].details[-1]


@pytest.mark.parametrize("away", ["delay_ms", "blend"])
def test_no_group_stands_for_those_of_none_that_the_queue_names(away: str) -> None:
    """Alan is of a group that is asked later, or while the queue needs it: until then only grace can serve."""
    groups = (ServingGroup(group=""), ServingGroup(group="desk", delay_ms=20_000))
    queue = replace(SALES, groups=groups)
    if away == "blend":
        rule = BlendRule(
            group="desk", trigger=BlendTrigger.QUEUE_LENGTH, enter=5, leave=1, dwell_ms=0
        )
        queue = replace(SALES, groups=groups[:1], blend=(rule,))
    desk = AgentTraits(groups=("desk",))
    (seconds, alan), ready = works("alan", 1)
    assert isinstance(alan, routing.ObserveAgentSignedOn)
    story = Story("ada")
    for event in events(
        [(0, queue), (seconds, replace(alan, traits=desk)), ready, comes("ada", 3)]
    ):
        story.take(event)
    assert story.finish()[0].details[0].startswith("0 agents signed on can serve it")


def test_a_step_is_told_with_what_it_asks_and_what_was_left_out() -> None:
    story = Story("ada")
    relaxed = replace(
        SALES,
        requirement='lang == "ar"',
        steps=(
            RoutingStep(after_ms=5_000, requirement='lang == "fa"'),
            RoutingStep(after_ms=9_000),
        ),
        skip_unservable_steps=True,
    )
    for event in events([(0, relaxed), *works("grace", 0), comes("ada", 1)]):
        story.take(event)
    steps = story.finish()
    assert [one.what for one in steps] == ["took its place", "came to step 2", "rings at grace"]
    assert steps[1].text == "it needs voice"
    assert steps[1].details[0] == "2 left out that nobody signed on could serve"


def test_a_step_says_what_brought_the_contact_there_beside_time() -> None:
    story = Story("ada")
    crowded = RoutingStep(after_ms=0, trigger=StepTrigger.QUEUE_LENGTH, limit=2)
    relaxed = replace(SALES, requirement='lang == "ar"', steps=(crowded,))
    for event in events([(0, relaxed), comes("ada", 1), comes("ben", 2), (2, routing.PassTime())]):
        story.take(event)
    steps = story.finish()
    assert [one.what for one in steps] == ["took its place", "came to step 1"]
    assert steps[1].details[0] == "2 contacts waited, of 2 that bring it there"


def test_a_new_plan_and_another_queue_say_what_brought_the_contact_to_its_step() -> None:
    story = Story("ada")
    crowded = RoutingStep(after_ms=0, trigger=StepTrigger.QUEUE_LENGTH, limit=1)
    deserted = RoutingStep(after_ms=0, trigger=StepTrigger.NOBODY_ON_DUTY)
    relaxed = replace(SALES, requirement='lang == "ar"', steps=(crowded,))
    night = replace(relaxed, queue_id=QueueId("night"), steps=(deserted,))
    told = [
        (0, SALES),
        comes("ada", 1),
        (2, routing.ApplyPolicy(queues=(relaxed, night), applies_to_waiting=True)),
        (2, routing.PassTime()),
        (3, routing.MoveContact(contact_id=ContactId("ada"), queue_id=QueueId("night"))),
    ]
    for event in events(told):
        story.take(event)
    steps = story.finish()
    assert [one.what for one in steps] == [
        "took its place",
        "follows a new plan, step 1",
        "moved to night",
    ]
    assert steps[1].details[0] == "1 contacts waited, of 1 that bring it there"
    assert (
        steps[2].details[0] == "to step 1: nobody signed on could serve it by what was asked so far"
    )


STEPPED = replace(
    SALES,
    requirement='lang == "ar"',
    steps=(
        RoutingStep(after_ms=5_000, requirement='lang == "fa"'),
        RoutingStep(after_ms=60_000, requirement='lang == "he"'),
    ),
)


def test_a_callback_that_comes_back_comes_to_its_steps_anew() -> None:
    story = Story("ada")
    _, ada = comes("ada", 1)
    assert isinstance(ada, routing.ObserveContactQueued)
    gone = routing.ObserveContactAbandoned(
        contact_id=ContactId("ada"), reason=DequeueReason.CALLBACK_POSTPONED
    )
    back = structs.replace(ada, stay=1, returns=True, enqueued_at_ms=T + 8_000)
    told: list[tuple[int, routing.Command]] = [
        (0, STEPPED),
        (1, ada),
        (7, routing.PassTime()),
        (8, gone),
    ]
    told += [(9, back), (20, routing.PassTime())]
    for event in events(told):
        story.take(event)
    steps = story.finish()
    assert [one.what for one in steps] == [
        "took its place",
        "came to step 1",
        "left",
        "came back as a callback",
        "came to step 1",
    ]
    assert steps[2].text == "the customer is called back later"


def test_a_contact_that_is_moved_goes_on_from_the_step_it_comes_to() -> None:
    story = Story("ada")
    later = replace(STEPPED, queue_id=QueueId("later"), steps=STEPPED.steps[1:])
    there = routing.MoveContact(contact_id=ContactId("ada"), queue_id=QueueId("later"))
    told: list[tuple[int, routing.Command]] = [(0, STEPPED), (0, later), comes("ada", 1)]
    told += [(7, routing.PassTime()), (8, there), (70, routing.PassTime())]
    for event in events(told):
        story.take(event)
    steps = story.finish()
    assert [one.what for one in steps] == [
        "took its place",
        "came to step 1",
        "moved to later",
        "came to step 1",
    ]


def test_a_customer_who_is_to_answer_first_is_called_when_the_turn_comes_near() -> None:
    story = Story("ada")
    (_, ada), calls = comes("ada", 1), replace(SALES, callback_attempts=3)
    assert isinstance(ada, routing.ObserveContactQueued)
    first = structs.replace(ada, awaits_turn=True)
    for event in events([(0, calls), *works("grace", 0), (1, first), (2, routing.PassTime())]):
        story.take(event)
    steps = story.finish()
    assert [one.what for one in steps] == ["took its place", "left"]
    assert steps[0].text.endswith("nobody is asked before its turn is near")
    assert steps[1].text == "its turn came near: the customer is called"
