"""What requirements mean: whether an agent is as an expression asks. `huntgroup_contracts.requirements` reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from huntgroup_contracts.requirements import (
    LEVEL_MAX,
    AllOf,
    AnyOf,
    ExpressionError,
    Has,
    Not,
    Skilled,
    Term,
    both,
    leaves,
    parse,
)
from huntgroup_routing.core.values import AgentId, AgentTraits, Skill

__all__ = [
    "LEVEL_MAX",
    "AllOf",
    "AnyOf",
    "ExpressionError",
    "Has",
    "Not",
    "Skilled",
    "Term",
    "Who",
    "agents_named",
    "both",
    "leaves",
    "meets",
    "parse",
    "who_is",
]


@dataclass(frozen=True, slots=True)
class Who:
    """What an agent is, as far as requirements may ask."""

    levels: Mapping[Skill, int]
    languages: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    attributes: frozenset[tuple[str, str]] = frozenset()


def meets(who: Who, agent_id: AgentId | None, term: Term) -> bool:
    """Return whether an agent satisfies a requirement; None stands for any agent it does not name."""
    match term:
        case Skilled(skill, level):
            return who.levels.get(Skill(skill), 0) >= level
        case Has("lang", values):
            return not who.languages.isdisjoint(values)
        case Has("group", values):
            return not who.groups.isdisjoint(values)
        case Has("attr", values, name):
            return any((name, value) in who.attributes for value in values)
        case Has(_, values):
            return agent_id in values
        case Not(one):
            return not meets(who, agent_id, one)
        case AllOf(terms):
            return all(meets(who, agent_id, one) for one in terms)
        case AnyOf(terms):
            return any(meets(who, agent_id, one) for one in terms)


def agents_named(term: Term | None) -> set[AgentId]:
    """Return the agents whom a term names."""
    if term is None:
        return set()
    found = (one for one in leaves(term) if isinstance(one, Has) and one.kind == "agent")
    return {AgentId(agent_id) for one in found for agent_id in one.values}


def who_is(levels: Mapping[Skill, int], traits: AgentTraits | None) -> Who:
    """Return what requirements may ask of agents with these levels and traits."""
    if traits is None:
        return Who(levels)
    return Who(
        levels=levels,
        languages=frozenset(traits.languages),
        groups=frozenset(traits.groups),
        attributes=frozenset((one.name, one.value) for one in traits.attributes),
    )
