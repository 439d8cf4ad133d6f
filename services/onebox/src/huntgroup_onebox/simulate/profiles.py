"""Whether the agents of a scenario could sign on, and have what the words of its policy declare."""

from collections.abc import Iterator
from typing import Any, Final

from huntgroup.agent_state.v1.commands_pb2 import SignOnRequest
from huntgroup_onebox.policy.request_reader import RequestReader, broken, steps_of
from huntgroup_onebox.simulate.scenario import AgentGroup
from huntgroup_onebox.yaml_file import Field, Found
from huntgroup_routing.core.expressions import LEVEL_MAX
from huntgroup_routing.core.values import Skill, Vocabulary

OWN: Final = ("context", "agent_id", "skills", "capacity", "capacity_units")
"""What a group says in words of its own; everything else comes from `profile`."""
FIELDS: Final[list[Any]] = [one for one in SignOnRequest.DESCRIPTOR.fields if one.name not in OWN]


def profile_faults(name: str, group: AgentGroup, vocabulary: Vocabulary) -> Iterator[Found]:
    """Yield what agent-state would refuse at sign-on, and words that are not declared."""
    reader, request = RequestReader(), SignOnRequest(agent_id=name, skills=group.skills)
    reader.fill(request, ("agents", name, "profile"), group.profile, FIELDS)
    yield from reader.faults
    yield from broken(request, lambda path: _way_of(path, name), reader.faults)
    for field, told in _undeclared(request, vocabulary):
        yield _way_of(field, name), told


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
    way = steps_of(path)
    match way:
        case ["agent_id"]:
            return ("agents", name)
        case ["skills", *_]:
            return ("agents", name, *way)
        case _:
            return ("agents", name, "profile", *way)
