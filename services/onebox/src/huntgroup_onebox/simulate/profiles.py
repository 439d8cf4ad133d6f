"""Whether the agents of a scenario could sign on, and have what the words of its policy declare."""

import re
from collections.abc import Iterator
from typing import Final

from google.protobuf.json_format import ParseDict, ParseError

from huntgroup.agent_state.v1.commands_pb2 import SignOnRequest
from huntgroup_contracts.validation import violations
from huntgroup_onebox.simulate.scenario import AgentGroup
from huntgroup_onebox.yaml_file import Field
from huntgroup_routing.core.expressions import LEVEL_MAX
from huntgroup_routing.core.values import Skill, Vocabulary

STEP: Final = re.compile(r"(?P<key>[a-z_]+)|\[(?P<index>\d+)\]")


def profile_faults(
    name: str, group: AgentGroup, vocabulary: Vocabulary
) -> Iterator[tuple[Field, str]]:
    """Yield what agent-state would refuse at sign-on, and words that are not declared."""
    try:
        request = _sign_on(name, group)
    except ParseError as error:
        yield ("agents", name, "profile"), str(error)
        return
    for one in violations(request):
        if not one.field.startswith("context"):
            yield _way_of(one.field, name), f"breaks the rule: {one.rule}"
    for field, told in _undeclared(request, vocabulary):
        yield _way_of(field, name), told


def _sign_on(name: str, group: AgentGroup) -> SignOnRequest:
    """Return the request without its capacity, whose bounds are those of the scenario."""
    said = {"agent_id": name, "skills": list(group.skills)}
    return ParseDict({**group.profile, **said}, SignOnRequest())


def _undeclared(request: SignOnRequest, vocabulary: Vocabulary) -> Iterator[tuple[str, str]]:
    highest = {one.skill: one.highest_level or LEVEL_MAX for one in vocabulary.skills}
    traits = request.traits
    levels = [(f"traits.skill_levels[{at}]", one) for at, one in enumerate(traits.skill_levels)]
    named = [(f"skills[{at}]", skill) for at, skill in enumerate(request.skills)]
    for field, skill in (*named, *((f"{field}.skill", one.skill) for field, one in levels)):
        if highest and Skill(skill) not in highest:
            yield field, "is not among the declared skills"
    for field, one in levels:
        if one.level > highest.get(Skill(one.skill), LEVEL_MAX):
            yield (
                f"{field}.level",
                f"is more than the highest declared, {highest[Skill(one.skill)]}",
            )
    for kind, has, declared in (
        ("languages", traits.languages, vocabulary.languages),
        ("groups", traits.groups, vocabulary.groups),
    ):
        for at, word in enumerate(has):
            if declared and word not in declared:
                yield f"traits.{kind}[{at}]", f"is not among the declared {kind}"


def _way_of(path: str, name: str) -> Field:
    """Return the way in a scenario to what sign-on calls, for example, `traits.skill_levels[0].level`."""
    way = [int(one["index"]) if one["index"] else one["key"] for one in STEP.finditer(path)]
    match way:
        case ["agent_id"]:
            return ("agents", name)
        case ["skills", *_]:
            return ("agents", name, *way)
        case _:
            return ("agents", name, "profile", *way)
