"""The policy of a domain as one value with versions: applied as a whole, told, rolled back, and followed."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as replaced

from huntgroup_routing.core.faults import SHOWN_MAX, Fault
from huntgroup_routing.core.messages import (
    ApplyPolicy,
    ConfigureQueue,
    ContactReplanned,
    Event,
    OfferCreated,
    PolicyApplied,
    QueueConfigured,
    QueueRetired,
    Reason,
    RollBackPolicy,
)
from huntgroup_routing.core.policy import command_of
from huntgroup_routing.core.values import (
    POLICY_CHANGES_MAX,
    QUEUES_MAX,
    REPLANS_PER_DECISION_MAX,
    VERSIONS_MAX,
    ContactId,
    DeclaredSkill,
    QueueId,
    RoutingStep,
    ServingGroup,
    Skill,
    Strategy,
    Vocabulary,
)

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

SALES, TAX = QueueId("sales"), QueueId("tax")


def policy_of(floor: "Floor", *queues: ConfigureQueue, **said: Any) -> ApplyPolicy:
    return ApplyPolicy(queues=queues or (floor.queue_command(),), **said)


def configured(events: tuple[Event, ...]) -> list[str]:
    return [one.queue_id for one in events if isinstance(one, QueueConfigured)]


# One value


def test_a_policy_is_applied_as_a_whole_and_under_one_version(floor: "Floor") -> None:
    sales, tax = floor.queue_command(ring_timeout_ms=5_000), floor.queue_command("tax", "tax")
    policy = policy_of(floor, tax, sales, author="ada", reason="spring", base_version=1)
    events = floor.tell(policy, 7)
    assert events[0] == PolicyApplied(
        at_ms=7,
        version=2,
        author="ada",
        reason="spring",
        rolled_back_to=0,
        vocabulary=Vocabulary(),
        queues_configured=2,
        queues_retired=0,
    )
    assert configured(events) == ["sales", "tax"]
    assert {one.domain_version for one in events[1:] if isinstance(one, QueueConfigured)} == {2}
    assert floor.state.versions.version == 2
    assert floor.state.queues[SALES].ring_timeout_ms == 5_000


def test_a_policy_that_is_so_already_is_no_event(floor: "Floor") -> None:
    assert floor.tell(policy_of(floor)) == ()


def test_a_queue_that_stays_as_it_is_is_not_told_of(floor: "Floor") -> None:
    events = floor.tell(policy_of(floor, floor.queue_command(), floor.queue_command("tax")))
    assert configured(events) == ["tax"]


def test_one_faulty_queue_refuses_all_and_every_fault_is_told(floor: "Floor") -> None:
    refused = floor.refused(
        policy_of(
            floor,
            floor.queue_command("tax"),
            floor.queue_command("vip", requirement="lang = 3"),
            floor.queue_command("tax", steps=(RoutingStep(after_ms=10),)),
        )
    )
    assert refused.reason is Reason.POLICY_INVALID
    assert "queues[1].requirement: 'lang = 3': character" in refused.detail
    assert "queues[2].queue_id: 'tax': is there twice" in refused.detail
    assert "queues[2].steps[0]: asks for the same as the one before" in refused.detail


@pytest.mark.parametrize(
    "line",
    [
        "queues[0].steps[1].after_ms: 30000: is not later than 90000, where the one before begins",
        """queues[0].requirement: 'lang == "x: y"': character 9: what is that?""",
        """queues[0].requirement: "skill('tax')": character 7: text stands in double quotes\n  ^""",
        "queues[1].overflow: goes in a circle: a to b to a",
        "queues[1].overflow[0].limit: is missing: WAITED needs it",
    ],
)
def test_a_fault_that_was_written_is_read_back(line: str) -> None:
    fault = Fault.read(line)
    assert str(fault) == line
    assert fault.field == line.partition(":")[0]
    assert ("'" in fault.value or fault.value == "30000") == (fault.value != "")


def test_a_value_is_shown_once_and_not_in_full_length(floor: "Floor") -> None:
    long = f'skill("{"x" * 90}") >= 3 and'
    refused = floor.refused(policy_of(floor, floor.queue_command(requirement=long)))
    shown = repr(long[:SHOWN_MAX])
    assert refused.detail.startswith(f"queues[0].requirement: {shown}: character ")


def test_only_the_base_that_was_looked_at_is_changed(floor: "Floor") -> None:
    floor.queue("tax")
    refused = floor.refused(policy_of(floor, base_version=1))
    assert (refused.reason, refused.detail) == (
        Reason.POLICY_CHANGED,
        "base_version 1 is not the present one, which is 2",
    )
    assert floor.tell(policy_of(floor, base_version=2))


# What makes sense

WORDS = Vocabulary(
    skills=(DeclaredSkill(skill=Skill("tax"), highest_level=5), DeclaredSkill(skill=Skill("loan"))),
    languages=("ar", "fa"),
    groups=("night",),
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            {"requirement": 'skill("taxx")'},
            "queues[0].requirement: 'skill(\"taxx\")': skill 'taxx' is not among",
        ),
        (
            {"requirement": 'lang == "en"'},
            "queues[0].requirement: 'lang == \"en\"': language 'en' is not",
        ),
        (
            {"requirement": 'group == "day"'},
            "queues[0].requirement: 'group == \"day\"': group 'day' is not",
        ),
        (
            {"groups": (ServingGroup(group=""), ServingGroup(group="day"))},
            "queues[0].groups[1].group: 'day': is not among the declared groups",
        ),
        ({"requirement": 'skill("tax") >= 6'}, "'skill(\"tax\") >= 6': nobody can ever meet this"),
        (
            {"steps": (RoutingStep(after_ms=9, required_skills=(Skill("vip"),)),)},
            "queues[0].steps[0].required_skills[0]: 'vip': is not among the declared skills",
        ),
        (
            {"steps": (RoutingStep(after_ms=9, requirement='skill("tax") >= 6 and lang == "ar"'),)},
            'lang == "ar"\': nobody can ever meet this',
        ),
    ],
)
def test_a_word_that_is_not_declared_or_a_level_nobody_has_is_a_fault(
    floor: "Floor", said: dict[str, Any], told: str
) -> None:
    queue = floor.queue_command(**said)
    assert told in floor.refused(policy_of(floor, queue, vocabulary=WORDS)).detail
    assert floor.tell(policy_of(floor, queue))  # without a vocabulary any word will do


def test_what_is_wrong_is_told_wherever_it_is_said(floor: "Floor") -> None:
    wrong, step = 'lang == "en"', RoutingStep(after_ms=9, requirement='lang == "en"')
    first = floor.queue_command("a", pull_requirement=wrong, steps=(step,))
    second = floor.queue_command("b", requirement=wrong)
    refused = floor.refused(policy_of(floor, first, second, vocabulary=WORDS))
    assert [line.partition(":")[0] for line in refused.detail.splitlines()] == [
        "queues[0].pull_requirement",
        "queues[0].steps[0].requirement",
        "queues[1].requirement",
    ]


def test_who_has_the_skills_must_be_able_to_meet_the_requirement(floor: "Floor") -> None:
    queue = floor.queue_command("tax", "tax", requirement='skill("tax") < 1 and lang == "ar"')
    refused = floor.refused(policy_of(floor, queue))
    assert 'lang == "ar"\': nobody can ever meet this' in refused.detail
    assert refused.detail.endswith("together with required_skills")


@pytest.mark.parametrize(
    "requirement",
    ['skill("tax") >= 6 or lang == "ar"', 'not skill("tax") >= 6', 'group == "night"'],
)
def test_what_somebody_may_meet_is_no_fault(floor: "Floor", requirement: str) -> None:
    queue = floor.queue_command(requirement=requirement)
    assert floor.tell(policy_of(floor, queue, vocabulary=WORDS))


# Versions


def test_every_change_of_one_queue_is_a_version_too(floor: "Floor") -> None:
    floor.queue("sales", ring_timeout_ms=1_000)
    floor.queue("tax")
    assert [one.version for one in floor.state.versions.kept] == [1, 2, 3]


def test_a_version_comes_back_as_a_new_one(floor: "Floor") -> None:
    floor.tell(policy_of(floor, floor.queue_command("tax", "tax"), vocabulary=WORDS))
    floor.queue("tax", ring_timeout_ms=1_000)
    events = floor.tell(RollBackPolicy(version=1, author="ada"), 9)
    applied = events[0]
    assert isinstance(applied, PolicyApplied)
    assert (applied.version, applied.rolled_back_to, applied.author) == (4, 1, "ada")
    assert applied.vocabulary == Vocabulary()
    assert floor.state.policy().keys() == {"sales"}
    floor.tell(RollBackPolicy(version=2))
    assert floor.state.policy().keys() == {"tax"}
    assert floor.state.queues[TAX].rules.required_skills == ("tax",)
    assert floor.state.versions.vocabulary == WORDS
    assert floor.tell(RollBackPolicy(version=2)) == ()


def test_versions_come_back_exactly_whatever_happened_between(floor: "Floor") -> None:
    seen = {1: floor.state.policy()}
    for number in range(2, 30):
        ring_ms = 1_000 + 7 * number
        if number % 3:
            floor.queue(f"q{number % 5}", ring_timeout_ms=ring_ms)
        else:
            others = (one for one in floor.state.policy().values() if one.queue_id != "q9")
            keep = [command_of(one) for one in others][number % 2 :]
            floor.tell(policy_of(floor, *keep, floor.queue_command("q9", ring_timeout_ms=ring_ms)))
        seen[floor.state.versions.version] = floor.state.policy()
    for version, policy in seen.items():
        found = floor.state.versions.at(version, floor.state.policy())
        assert found is not None
        assert found[0] == policy


def test_a_version_that_was_forgotten_or_never_was_is_named_with_those_that_are(
    floor: "Floor",
) -> None:
    for number in range(VERSIONS_MAX + 5):
        floor.queue(ring_timeout_ms=1_000 + number)
    refused = floor.refused(RollBackPolicy(version=5))
    assert refused.reason is Reason.POLICY_VERSION_UNKNOWN
    assert refused.detail == "version 5 is not remembered: 6 to 106 are"
    assert floor.refused(RollBackPolicy(version=107)).reason is Reason.POLICY_VERSION_UNKNOWN
    assert floor.tell(RollBackPolicy(version=6))
    assert floor.state.queues[SALES].ring_timeout_ms == 1_004


# Queues that leave


def test_a_queue_that_is_not_given_retires_and_serves_those_who_wait(floor: "Floor") -> None:
    floor.contact("ada")
    events = floor.tell(policy_of(floor, floor.queue_command("tax")), 5)
    assert QueueRetired(at_ms=5, queue_id=SALES, domain_version=2) in events
    assert floor.offered(floor.agent("grace", at_ms=6)) == [("ada", "grace")]
    floor.contact("late", at_ms=7)  # was on its way
    assert ContactId("late") in floor.state.contacts


def test_a_retired_queue_comes_back_with_those_who_wait_at_their_places(floor: "Floor") -> None:
    floor.contact("ada")
    floor.tell(policy_of(floor, floor.queue_command("tax")))
    events = floor.queue("sales", at_ms=8)
    assert configured(events) == ["sales"]
    assert not floor.state.retired
    assert len(floor.state.queues[SALES].waiting) == 1


def test_a_retired_queue_is_forgotten_when_its_room_is_needed_and_nobody_waits(
    floor: "Floor",
) -> None:
    floor.queue("busy")
    floor.contact("ada", queue_id="busy")
    floor.tell(policy_of(floor, floor.queue_command("tax")))
    for number in range(QUEUES_MAX - len(floor.state.queues)):
        floor.quickly(floor.queue_command(f"q{number}"))
    assert len(floor.state.queues) == QUEUES_MAX
    floor.quickly(floor.queue_command("one-more"))
    assert SALES not in floor.state.queues
    refused = floor.refused(floor.queue_command("too-many"))
    assert refused.reason is Reason.TOO_MANY_QUEUES


def test_a_policy_too_large_for_one_decision_is_refused_and_says_what_fits(
    floor: "Floor",
) -> None:
    many = (floor.queue_command(f"q{number}") for number in range(POLICY_CHANGES_MAX))
    refused = floor.refused(policy_of(floor, *many))
    assert refused.reason is Reason.POLICY_TOO_LARGE
    assert "queues: 501 would change, at most 500 can at once" in refused.detail
    wordy = [
        RoutingStep(
            after_ms=1 + at, requirement=" or ".join(f'skill("{at}x{n}")' for n in range(43))
        )
        for at in range(100)
    ]
    large = (floor.queue_command(f"q{number}", steps=tuple(wordy)) for number in range(3))
    refused = floor.refused(policy_of(floor, *large))
    assert refused.reason is Reason.POLICY_TOO_LARGE
    assert "the changes have about 299576 bytes, at most 204800" in refused.detail


# Those who wait


def test_strategy_and_ring_time_hold_for_those_who_wait_at_once(floor: "Floor") -> None:
    floor.contact("ada")
    changed = floor.queue_command(strategy=Strategy.LINEAR, ring_timeout_ms=3_000)
    floor.tell(policy_of(floor, changed))
    (*_, offer) = floor.agent("grace", at_ms=100)
    assert isinstance(offer, OfferCreated)
    assert offer.expires_at_ms == 3_100


def test_those_who_wait_keep_their_requirement_unless_told_otherwise(floor: "Floor") -> None:
    floor.contact("ada")
    floor.tell(policy_of(floor, floor.queue_command("sales", "tax")))
    assert floor.core.next_deadline(floor.state) is None
    assert floor.offered(floor.agent("grace")) == [("ada", "grace")]


def test_those_who_wait_follow_at_their_old_places_and_are_offered_at_once(floor: "Floor") -> None:
    floor.queue("sales", "tax")
    for number in range(3):
        floor.contact(f"c{number}", at_ms=number)
    floor.contact("vip", priority=5, at_ms=3)
    floor.agent("grace", voice=2)
    events = floor.tell(policy_of(floor, applies_to_waiting=True), 50)
    assert floor.offered(events) == []
    assert floor.core.next_deadline(floor.state) == 50
    events = floor.pass_time(50)
    replanned = [one.contact_id for one in events if isinstance(one, ContactReplanned)]
    assert replanned == ["vip", "c0", "c1", "c2"]
    assert floor.offered(events) == [("vip", "grace"), ("c0", "grace")]
    assert floor.core.next_deadline(floor.state) == 50 + 20_000  # the leases


def test_those_who_wait_come_to_the_step_of_their_age(floor: "Floor") -> None:
    floor.contact("ada")
    steps = (RoutingStep(after_ms=500, required_skills=(Skill("tax"),)),)
    queue = floor.queue_command("sales", "loan", steps=steps)
    floor.tell(policy_of(floor, queue, applies_to_waiting=True), 600)
    (replanned,) = floor.pass_time(600)
    assert isinstance(replanned, ContactReplanned)
    assert (replanned.step, replanned.required_skills) == (1, ("tax",))
    assert floor.state.contacts[ContactId("ada")].step_due is None


def test_who_rings_meanwhile_follows_when_back(floor: "Floor") -> None:
    floor.agent("grace")
    floor.contact("ada")
    floor.tell(policy_of(floor, floor.queue_command("sales", "tax"), applies_to_waiting=True), 5)
    assert floor.pass_time(6) == ()
    floor.reject("ada.1", "grace", at_ms=7)
    (replanned,) = floor.pass_time(7)
    assert isinstance(replanned, ContactReplanned)
    assert replanned.required_skills == ("tax",)


def test_a_second_change_meanwhile_takes_all_to_the_newest_plan(floor: "Floor") -> None:
    contacts = REPLANS_PER_DECISION_MAX + 10
    for number in range(contacts):
        floor.contact(f"c{number:03}", at_ms=number)
    floor.tell(policy_of(floor, floor.queue_command("sales", "tax"), applies_to_waiting=True), 999)
    assert len(floor.pass_time(999)) == REPLANS_PER_DECISION_MAX
    floor.tell(policy_of(floor, floor.queue_command("sales", "loan"), applies_to_waiting=True), 999)
    told = [len(floor.pass_time(999)) for _ in range(3)]
    assert told == [REPLANS_PER_DECISION_MAX, 10, 0]
    asks = {one.requirement.ask for one in floor.state.contacts.values()}
    assert asks == {((Skill("loan"),), "", None, "")}


def test_the_state_is_the_same_after_writing_and_reading_in_the_middle(floor: "Floor") -> None:
    for number in range(REPLANS_PER_DECISION_MAX + 3):
        floor.contact(f"c{number:03}", at_ms=number)
    floor.tell(policy_of(floor, floor.queue_command("tax", "tax"), vocabulary=WORDS), 999)
    floor.tell(RollBackPolicy(version=1), 999)
    queue = floor.queue_command("sales", "tax")
    floor.tell(policy_of(floor, queue, applies_to_waiting=True), 999)
    floor.pass_time(999)
    floor.state = floor.core.load("acme/emea", floor.core.dump(floor.state))
    assert len(floor.pass_time(999)) == 3
    anew = floor.core.initial("acme/emea")
    for event in floor.history:
        anew = floor.core.evolve(anew, event)
    assert floor.core.dump(anew) == floor.core.dump(floor.state)


def test_what_a_queue_is_can_be_said_by_a_command(floor: "Floor") -> None:
    queue = floor.queue_command("tax", "tax", requirement='lang == "ar"', waiting_max=7)
    (event,) = floor.tell(replace(queue, strategy=Strategy.LINEAR))
    assert isinstance(event, QueueConfigured)
    assert command_of(event) == replace(queue, strategy=Strategy.LINEAR)
    told_beside = {"at_ms", "domain_version", "applies_to_waiting", "one_channel"}
    assert set(event.__struct_fields__) - told_beside == {one.name for one in fields(queue)}
    assert command_of(replaced(event, one_channel=False)) == replace(
        queue, strategy=Strategy.LINEAR, channel=None
    )
