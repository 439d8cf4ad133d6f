"""A scenario from its file: typed, and checked as a whole, so that a simulation never stops in its middle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from huntgroup_onebox.simulate.checks import faults_of
from huntgroup_onebox.simulate.queues import from_policy
from huntgroup_onebox.simulate.scenario import (
    CONTACTS_MAX,
    AgentGroup,
    ContactClass,
    Queue,
    Run,
    Scenario,
)
from huntgroup_onebox.yaml_file import Field, Found, YamlFile, YamlFileError, together
from huntgroup_onebox.yaml_types import misfits
from huntgroup_routing.core.values import Vocabulary

T = TypeVar("T")

ANY_QUEUE: Final = Queue(channel=None)
"""Stands for one that cannot be understood."""
ANY_RUN: Final = {"contacts": CONTACTS_MAX}
ANY_CLASS: Final = {
    "arrivals": {"kind": "profile", "interval_s": 1, "per_hour": [0]},
    "service": {"kind": "deterministic", "value_s": 0},
}
ANY_GROUP: Final = {"count": 1}
TIED: Final = {"slots": ("costs", "interrupts"), "capacity_units": ("costs",)}
"""Fields that another is compared with."""


def read_scenario(path: Path) -> Scenario:
    """Return the scenario, with the queues of its policy; raises `YamlFileError` that tells of all that is wrong."""
    file = YamlFile(path)
    found = misfits(file.content, Scenario)
    scenario = (
        _understood(file.content, found) if found else msgspec.convert(file.content, Scenario)
    )
    of_policy: list[YamlFileError] = []
    vocabulary = Vocabulary()
    told = _wrong_source(file, scenario)
    if told:
        found += told
    elif scenario.policy is not None:
        try:
            queues, vocabulary = from_policy(file.path.parent / scenario.policy)
            scenario = msgspec.structs.replace(scenario, queues=queues)
        except YamlFileError as error:
            of_policy.append(error)
        else:
            if not queues:
                found.append((("policy",), "has no queue"))
    plain = not (found or of_policy or file.doubles)
    found += faults_of(scenario, vocabulary, path.parent, plain=plain)
    errors = [*file.errors(found), *of_policy]
    if errors:
        raise together(errors)
    return scenario


def _wrong_source(file: YamlFile, scenario: Scenario) -> list[Found]:
    """Return what is wrong with where the queues come from."""
    if scenario.policy is None:
        said = isinstance(file.content, Mapping) and {"queues", "policy"} & {
            name for name, value in file.content.items() if value != {}
        }
        rule = "queues is needed, or policy: the file of a policy with queues"
        return [] if said else [((), rule)]
    if scenario.queues:
        told = "has queues, and so has the scenario: leave one of them out"
        return [(("policy",), told)]
    policy = file.path.parent / scenario.policy
    return [] if policy.is_file() else [(("policy",), f"there is no file {policy}")]


def _understood(content: Any, found: list[Found]) -> Scenario:
    """Return what can be understood of a file with misfits, so that the rest of it can be looked at.

    What is wrong is left out, or stands as something that asks for nothing: that can hide a fault, but makes up none.
    """
    said = content if isinstance(content, Mapping) else {}
    policy, run = said.get("policy"), _part(said, ("run",), Run, found, ANY_RUN)
    unknown = dict.fromkeys(_names(said, "queues"), ANY_QUEUE)
    return Scenario(
        name="",
        run=run or Run(contacts=CONTACTS_MAX),
        policy=policy if isinstance(policy, str) else None,
        queues=unknown | _parts(said, "queues", Queue, found, {}),
        classes=_parts(said, "classes", ContactClass, found, ANY_CLASS),
        agents=_parts(said, "agents", AgentGroup, found, ANY_GROUP),
    )


def _names(said: Mapping[Any, Any], section: str) -> list[str]:
    given = said.get(section)
    return [name for name in given if isinstance(name, str)] if isinstance(given, Mapping) else []


def _parts(
    said: Mapping[Any, Any],
    section: str,
    kind: type[T],
    found: list[Found],
    usual: Mapping[str, Any],
) -> dict[str, T]:
    """Return what can be understood of the parts of a section."""
    parts = {
        name: _part(said[section], (section, name), kind, found, usual)
        for name in _names(said, section)
    }
    return {name: one for name, one in parts.items() if one is not None}


def _part(
    around: Mapping[Any, Any],
    way: Field,
    kind: type[T],
    found: list[Found],
    usual: Mapping[str, Any],
) -> T | None:
    """Return a part without the fields that are wrong, or that depend on such, if any of it can be understood.

    `usual` is what stands for fields that are left out.
    """
    given, depth = around.get(way[-1]), len(way)
    if not isinstance(given, Mapping):
        return None
    wrong = {one[depth] for one, _ in found if one[:depth] == way and len(one) > depth}
    if wrong:
        wrong |= {tied for name in wrong for tied in TIED.get(str(name), ())}
        given = {**usual, **{name: one for name, one in given.items() if name not in wrong}}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError:
        return None
