"""Requirements as people write them: what they mean, their one form, and complaints that point at the character."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st

from huntgroup_contracts.requirements import TEXT_MAX, one_form
from huntgroup_routing.core.expressions import (
    AllOf,
    AnyOf,
    ExpressionError,
    Has,
    Not,
    Skilled,
    Term,
    Who,
    meets,
    parse,
)
from huntgroup_routing.core.messages import ContactEnqueued, QueueConfigured, Reason
from huntgroup_routing.core.requirements import Profile, Requirement
from huntgroup_routing.core.values import AgentId, QueueId, Skill, Strategy

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

GRACE = Who(
    levels={Skill("billing"): 3, Skill("chess"): 1},
    languages=frozenset({"ar", "en"}),
    groups=frozenset({"vip"}),
    attributes=frozenset({("site", "cairo")}),
)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ('skill("billing")', True),
        ('skill("repair")', False),
        ('skill("billing") >= 3', True),
        ('skill("billing") > 3', False),
        ('skill("billing") == 3', True),
        ('skill("billing") != 3', False),
        ('skill("billing") <= 3', True),
        ('skill("repair") < 1', True),
        ('skill("repair") == 0', True),
        ('lang == "ar"', True),
        ('lang in ("fa", "en")', True),
        ('lang not in ("fa", "en")', False),
        ('lang != "fa"', True),
        ('group == "vip" and attr("site") == "cairo"', True),
        ('attr("site") in ("accra", "lagos")', False),
        ('agent == "grace"', True),
        ('agent != "grace"', False),
        ('not agent in ("alan", "edsger")', True),
        ('lang == "fa" or lang == "ar" and skill("billing") >= 9', False),
        ('(lang == "fa" or lang == "ar") and skill("billing") >= 2', True),
        ('not lang == "fa" and group == "vip"', True),
        ('not (lang == "ar" and group == "vip")', False),
    ],
)
def test_a_requirement_means_what_it_says(text: str, met: bool) -> None:  # noqa: FBT001
    assert meets(GRACE, AgentId("grace"), parse(text)) is met


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('lang in ("fa","ar") and skill("a")>2', 'skill("a") >= 3 and lang in ("ar", "fa", "ar")'),
        ('not not group == "x"', '(group in ("x"))'),
        ('group != "x"', 'not group == "x"'),
        ('skill("a") or (skill("b") or skill("a"))', 'skill("b") or skill("a")'),
        ('skill("a") < 3', 'not skill("a") >= 3'),
        ('skill("a") == 100', 'skill("a") > 99'),
    ],
)
def test_what_says_the_same_has_one_text(text: str, same: str) -> None:
    assert str(parse(text)) == str(parse(same))


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ('skill("a") >= "3"', 14, "a level is a number from 0 to 100"),
        ('skill("a") >= 101', 14, "a level is a number from 0 to 100"),
        ('skill("a") >= 0', 14, "leave the term out"),
        ('skill("a") > 100', 13, "no level can ever be so"),
        ("skill(a)", 6, "a string in quotes comes here"),
        ('skill("")', 6, "an empty string is nobody's"),
        ('skill "a"', 6, "skill names one in brackets"),
        ('skill("a" >= 3', 10, "`)` closes what was opened"),
        ('lang = "x"', 5, "'=' begins nothing"),
        ('lang >= "x"', 5, "comes after lang"),
        ('lang not "x"', 9, "comes after lang"),
        ("lang in ()", 9, "a string in quotes comes here"),
        ('lang in ("a" "b")', 13, "`,` or `)` comes here"),
        ('skill("a") skill("b")', 11, "is one too many"),
        ('skill("a") and', 14, "the end is no term"),
        ("", 0, "the end is no term"),
        ("colour", 0, "colour is no term"),
        ('group == "x', 9, "this string has no end"),
        ('(lang == "x"', 12, "`)` closes what was opened, not the end"),
        ("(" * 30, 21, "nested deeper than 20"),
        ("not " * 30 + 'lang == "x"', 80, "nested deeper than 20"),
        ('lang == "x" and skill("a") > 4 and skill("a") < 3', 0, "nobody can ever meet this"),
        ('agent == "a" and agent in ("b", "c")', 0, "no agent has two ids"),
        ('group == "x" and group != "x"', 0, 'group == "x" is asked for and ruled out'),
    ],
)
def test_a_complaint_points_at_the_character(text: str, at: int, why: str) -> None:
    with pytest.raises(ExpressionError) as told:
        parse(text)
    assert told.value.at == at
    assert why in told.value.why
    assert str(told.value).endswith(f"\n  {text}\n  {' ' * at}^")


def test_a_requirement_beyond_all_measure_is_refused() -> None:
    with pytest.raises(ExpressionError, match="longer than 1000 characters"):
        parse('skill("a") or ' * 100)


MANY = " or ".join(f'skill("s{number}")' for number in range(60))
"""Short enough, but not in its one form, which says each level."""
DEEP = 'not (group == "x" or ' * 10 + 'skill("a") != 3' + ")" * 10


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (MANY, "longer than 1000 characters in its one form, which has 1246"),
        (DEEP, "nested deeper than 20 in its one form"),
    ],
)
def test_what_could_not_be_written_in_its_one_form_is_refused_in_the_words_it_was_said_in(
    text: str, why: str
) -> None:
    with pytest.raises(ExpressionError) as told:
        one_form(text)
    assert (told.value.at, told.value.why) == (0, why)
    assert str(told.value).endswith(f"\n  {text}\n  ^")


def test_what_was_accepted_once_is_read_however_long_it_became() -> None:
    form = one_form(MANY, accepted=True)
    assert len(form) > TEXT_MAX
    assert one_form(form, accepted=True) == form


names = st.sampled_from(["a", "b", "c"])
leaf: st.SearchStrategy[Term] = st.one_of(
    st.builds(Skilled, names, st.integers(1, 100)),
    st.builds(
        lambda kind, values: Has(kind, tuple(sorted(values))),
        st.sampled_from(["lang", "group", "agent"]),
        st.sets(names, min_size=1),
    ),
    st.builds(lambda value, name: Has("attr", (value,), name), names, names),
)
terms = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda some: AllOf(tuple(some)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda some: AnyOf(tuple(some)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)
people = st.builds(
    Who,
    st.dictionaries(names, st.integers(1, 100)),
    st.frozensets(names),
    st.frozensets(names),
    st.frozensets(st.tuples(names, names)),
)


@given(terms, people, names)
def test_the_one_form_means_the_same_and_is_its_own(term: Term, who: Who, agent_id: str) -> None:
    try:
        again = parse(str(term))
    except ExpressionError:
        reject()  # somewhere within it asks for what nobody can ever meet
    assert meets(who, AgentId(agent_id), again) == meets(who, AgentId(agent_id), term)
    assert parse(str(again)) == again


said = st.one_of(
    st.builds('skill("{}")'.format, st.text("abc", min_size=1, max_size=9)),
    st.builds('skill("{}") {} {}'.format, names, st.sampled_from(["==", "!="]), st.integers(1, 99)),
    st.builds('agent in ("{}",  "{}")'.format, names, names),
)
texts = st.recursive(
    said,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds(" or ".join, st.lists(inner, min_size=1, max_size=12)),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: f"({') and ('.join(some)})"),
    ),
    max_leaves=80,
)


@given(texts)
@example(MANY)
@example(DEEP)
def test_the_one_form_of_whatever_is_accepted_is_accepted(text: str) -> None:
    try:
        form = one_form(text)
    except ExpressionError:
        reject()
    assert one_form(form) == form


@given(st.lists(leaf | st.builds(Not, leaf), min_size=2, max_size=4), people, names)
def test_nobody_meets_what_is_refused_as_impossible(
    terms: list[Term], who: Who, agent_id: str
) -> None:
    conjunction = AllOf(tuple(terms))
    try:
        parse(str(conjunction))
    except ExpressionError as error:
        assert "nobody can ever meet this" in error.why  # noqa: PT017
        assert not meets(who, AgentId(agent_id), conjunction)


# In routing.


def test_a_queue_may_not_ask_for_what_is_too_long_in_its_one_form(floor: "Floor") -> None:
    refused = floor.refused(floor.queue_command("sales", requirement=MANY))
    assert refused.reason is Reason.REQUIREMENT_INVALID
    assert refused.detail.startswith("requirement, character 1: longer than 1000 characters in its")


def test_a_queue_keeps_its_requirement_in_one_form(floor: "Floor") -> None:
    (configured,) = floor.queue("sales", requirement='lang in ("fa","ar") and skill("a")>2')
    assert isinstance(configured, QueueConfigured)
    assert configured.requirement == 'lang in ("ar", "fa") and skill("a") >= 3'
    assert floor.queue("sales", requirement='skill("a") >= 3 and lang in ("ar", "fa")') == ()
    (enqueued,) = floor.contact("ada")
    assert isinstance(enqueued, ContactEnqueued)
    assert enqueued.requirement == configured.requirement


def test_a_requirement_that_is_wrong_is_refused_with_its_character(floor: "Floor") -> None:
    command = floor.queue_command("sales", requirement='skill("a") >= "3"')
    refused = floor.refused(command)
    assert refused.reason is Reason.REQUIREMENT_INVALID
    assert refused.detail.startswith("requirement, character 15: a level is a number")


def test_only_who_meets_the_requirement_is_offered_the_contact(floor: "Floor") -> None:
    floor.queue("sales", requirement='skill("billing") >= 3 or agent == "edsger"')
    floor.agent("grace", levels={"billing": 2})
    floor.contact("ada")
    assert floor.offered(floor.agent("alan", levels={"billing": 3})) == [("ada", "alan")]
    floor.contact("ben")
    assert floor.offered(floor.agent("edsger")) == [("ben", "edsger")]


def test_who_is_named_when_they_are_idle_already_is_found(floor: "Floor") -> None:
    for agent_id in ("grace", "alan", "edsger"):
        floor.agent(agent_id)
    floor.queue("sales", requirement='agent == "alan"')
    floor.queue("repair", requirement='agent != "grace"')
    assert floor.offered(floor.contact("ada")) == [("ada", "alan")]
    assert floor.offered(floor.contact("ben", queue_id="repair")) == [("ben", "edsger")]
    floor.accept("ada.1", "alan")
    assert floor.offered(floor.release("ada.1", "alan")) == []
    assert floor.offered(floor.contact("cai", queue_id="repair")) == [("cai", "alan")]


def test_a_changed_requirement_holds_for_the_next_contact_and_keeps_places(floor: "Floor") -> None:
    floor.contact("ada")
    floor.queue("sales", requirement='group == "vip"')
    floor.contact("ben")
    assert floor.offered(floor.agent("grace")) == [("ada", "grace")]


def test_skills_in_a_requirement_count_for_the_best_skill(floor: "Floor") -> None:
    floor.queue("sales", requirement='skill("billing") >= 2', strategy=Strategy.BEST_SKILL)
    floor.agent("grace", levels={"billing": 2})
    floor.agent("alan", levels={"billing": 7})
    assert floor.offered(floor.contact("ada")) == [("ada", "alan")]


def test_a_requirement_survives_a_snapshot(floor: "Floor") -> None:
    floor.queue("sales", requirement='agent == "alan"')
    floor.agent("alan")
    floor.agent("grace")
    loaded = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert floor.core.dump(loaded.state) == floor.core.dump(floor.state)
    assert loaded.offered(loaded.contact("ada")) == [("ada", "alan")]
    assert loaded.state.queues[QueueId("sales")].plan.requirement == 'agent == "alan"'


def test_for_a_new_requirement_only_those_are_looked_at_who_have_its_rarest_skill(
    floor: "Floor", monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        floor.agent(f"agent-{number}", "english", f"s{number}", levels={f"t{number}": 3})
    met_by, asked = Requirement.met_by, set[AgentId | None]()

    def counting(one: Requirement, profile: Profile, agent_id: AgentId | None) -> bool:
        asked.update(profile.idle)
        return met_by(one, profile, agent_id)

    monkeypatch.setattr(Requirement, "met_by", counting)
    floor.queue("sales", requirement='skill("english") and skill("t7") >= 3 and not lang == "ar"')
    assert asked == {"agent-7"}
    assert floor.offered(floor.contact("ada")) == [("ada", "agent-7")]
    floor.queue("tax", "s8", requirement='skill("t8") >= 4 or not skill("t7") >= 1')
    assert floor.offered(floor.contact("ben", queue_id="tax")) == [("ben", "agent-8")]
