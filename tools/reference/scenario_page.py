"""docs/reference/scenario.md and scenario.schema.json: the format of `huntgroup simulate`, from its types."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from huntgroup_onebox.simulate import scenario as format_
from huntgroup_onebox.simulate.measures import Measures
from tools.reference.markdown import code, page, sentence, table
from tools.reference.source import class_source, documented

INTRODUCTION = """`huntgroup simulate SCENARIO.yaml` plays a contact centre on the routing service's own core
(`decide` and `evolve`, through the same commands) in virtual time, without log, gRPC or clock. A scenario says who
comes, who serves, and by which policy; the answer is how long people wait and how busy agents are, with confidence
intervals. Examples: [loadtests/scenarios](../../loadtests/scenarios)."""

USE = """```sh
.venv/bin/huntgroup simulate loadtests/scenarios/t1-erlang-c.yaml
.venv/bin/huntgroup simulate loadtests/scenarios/t1-erlang-c.yaml --replications 20 --seed 7 --jobs 2 --json
```"""

RULES = """Times are seconds from the beginning of the simulated time (`_s`), rates are per hour. A name that the format
does not know is an error, and so is a name that is there twice. Every fault is told at once, each as
`file:line:column: field: value: rule` and in the words of [policy files](policy.md), and the exit code is 2; whether
somebody could serve each class is looked at when there is no other. `scenario.schema.json`, beside this page, is the
same format for editors: put `# yaml-language-server: $schema=PATH/scenario.schema.json` on the first line."""

METHOD = (
    """Each replication is a run of its own, with chance seeded by the scenario's seed, the replication's number, and
    the class and purpose it is for. So the same file gives the same figures on every machine, whatever `--jobs` says;
    and a contact comes at the same time, with the same service time and patience, whatever agents and policies the
    scenario has: two policies are compared on equal terms.""",
    """`mean` is the mean of a figure over replications, `half_width` half its confidence interval: t·s/√n with the
    standard deviation s over the n replications and Student's t for n-1 degrees of freedom. Replications without a
    value (nobody came) are left out. A percentile is that of each replication, then the mean of those. Waits of one
    run depend on each other, the more the busier the agents: trust the interval over replications, not a long run.""",
    """Counted are the contacts that come after the warm-up, and agents' time from then until the last contact has come
    (or until `until_s`); whoever is there then is still served or gives up. Whatever routing does not decide is
    simple: an agent accepts every offer (after `answer_after`, if the offer is still there), is free again as soon as
    service and wrap-up are over, and takes the next.""",
    """Queues are configured as routing has them, so a contact may go to any other queue of the scenario by an overflow
    rule, whatever the order in which they stand; it counts for the class that it is of, and the queue of that class.
    Scorers are those installed (`huntgroup.scorers`). For opening hours the simulated time begins on Thursday,
    1 January 1970, 00:00 UTC, and lasts until eight days after the last contact came. Without them it lasts until
    nothing can happen any more: who asks again and again for room in a queue that nobody ever leaves still waits then
    (`left_waiting`).""",
    """A customer's patience is over when they have waited for so long, ringing included; who is answered stays. Of a
    journal's contacts, those that gave up are as patient as they were; of the others it is known only that they waited
    for so long, so the class's `patience` speaks for them.""",
)

CONTACT_FIGURES = {
    "contacts": "Contacts that came.",
    "turned_away": "The part of them that found too many waiting, by `waiting_max` of the queue or of the scenario.",
    "sent_away": "The part of them that an overflow rule gave back, sent out of the centre, or ended.",
    "left_waiting": "The part of them that still waited when nothing could happen any more.",
    "wait_mean_s": "The wait of those answered or gone: from queued to accepted, or to giving up; ringing included.",
    "wait_p50_s": "The least wait that half of them do not exceed.",
    "wait_p90_s": "The same for 90 %.",
    "wait_p99_s": "The same for 99 %.",
    "asa_s": "Average speed of answer: the mean wait of the answered alone.",
    "waited": "The part of those answered or gone that waited at all.",
    "service_level": "Answered within the queue's threshold ÷ (answered + gone later than it), as in kpi.md.",
    "abandonment": "Gone without an answer ÷ contacts.",
    "relative_wait": "Fairness: the mean wait here ÷ the mean wait of everybody; 1 when all wait alike.",
}
AGENT_FIGURES = {
    "agents": "Agents of the group.",
    "answered": "Counted contacts that they answered.",
    "wait_mean_s": "The mean wait of those contacts.",
    "occupancy": "Serving or wrapping up ÷ the shift without ringing: the mean over agents. Overtime is not counted.",
    "occupancy_lowest": "Of the least busy agent.",
    "occupancy_highest": "Of the busiest agent.",
    "fairness": "Jain's index of the agents' occupancies: 1 when all are equally busy, 1/n when one of n does all.",
}

STRUCTS: tuple[type[msgspec.Struct], ...] = (
    format_.Scenario,
    format_.Run,
    format_.Queue,
    format_.ContactClass,
    format_.AgentGroup,
)
ARRIVALS: tuple[type[msgspec.Struct], ...] = (
    format_.Poisson,
    format_.Profile,
    format_.CsvDay,
    format_.FromJournal,
)
DISTRIBUTIONS: tuple[type[msgspec.Struct], ...] = (
    format_.Exponential,
    format_.LogNormal,
    format_.Deterministic,
    format_.Empirical,
)
SECTIONS = {
    "Run": "`run`",
    "Queue": "`queues`",
    "ContactClass": "`classes`",
    "AgentGroup": "`agents`",
}


def scenario_schema() -> str:
    """Return the JSON schema."""
    schema = msgspec.json.schema(format_.Scenario)
    return json.dumps({"$comment": "Generated by `make docs`.", **schema}, indent=2) + "\n"


def scenario_page() -> str:
    """Return the page."""
    return page(
        "Scenario files",
        [sentence(INTRODUCTION), USE, sentence(RULES)],
        *(_struct(cls) for cls in STRUCTS),
        _choice("When contacts come: `arrivals`", ARRIVALS),
        _choice("How long something takes", DISTRIBUTIONS),
        _figures(),
        ["## Method", *map(sentence, METHOD)],
    )


def _struct(cls: type[msgspec.Struct]) -> Iterator[str]:
    name = SECTIONS.get(cls.__name__)
    if name:
        yield f"## {name}"
        yield sentence(_summary(cls))
    yield _fields(cls)


def _choice(title: str, kinds: tuple[type[msgspec.Struct], ...]) -> Iterator[str]:
    yield f"## {title}"
    yield "`kind` says which:"
    for cls in kinds:
        yield f"### `{cls.__struct_config__.tag}`"
        yield sentence(_summary(cls))
        yield _fields(cls)


def _summary(cls: type[msgspec.Struct]) -> str:
    return " ".join((cls.__doc__ or "").split())


def _fields(cls: type[msgspec.Struct]) -> str:
    (schema,), parts = msgspec.json.schema_components((cls,), ref_template="{name}")
    own = parts[schema["$ref"]]["properties"]
    meanings, needed = documented(class_source(cls)), parts[schema["$ref"]].get("required", ())
    rows = [
        (
            code(name),
            _type(own[name], parts),
            "needed" if name in needed else _default(own[name]),
            meanings.get(name, ""),
        )
        for name in cls.__struct_fields__
    ]
    return table(("field", "type", "default", "meaning"), rows)


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None or value in ("", (), {}) else code(json.dumps(value).strip('"'))


def _type(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """Return a type in words."""
    if "$ref" in schema:
        return _referred(schema["$ref"], parts)
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(choices) == 1:
        return _type(choices[0], parts)
    if choices:
        kinds = {_referred(one["$ref"], parts) for one in choices}
        return kinds.pop() if len(kinds) == 1 else " or ".join(sorted(kinds))
    match schema:
        case {"type": "object", "additionalProperties": Mapping() as of}:
            return f"by name: {_type(of, parts)}"
        case {"type": "object"}:
            return "by name: anything"
        case {"type": "array", "items": of}:
            return f"list of {_type(of, parts)}"
        case {"type": "string", "format": "date"}:
            return "date"
        case {"type": "string"}:
            return "text"
        case {"type": str(kind)}:
            return f"{'whole number' if kind == 'integer' else kind}{_range(schema)}"
        case _:
            return "anything"


def _referred(name: str, parts: Mapping[str, Any]) -> str:
    if "enum" in parts[name]:
        return ", ".join(map(code, parts[name]["enum"]))
    section = SECTIONS.get(name)
    if section:
        return f"[{section.strip('`')}](#{section.strip('`')})"
    if name in {cls.__name__ for cls in ARRIVALS}:
        return "[arrivals](#when-contacts-come-arrivals)"
    return "[time](#how-long-something-takes)"


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    bounds = [
        *([f"{low:,} or more"] if low is not None else []),
        *([f"above {above:,}"] if above is not None else []),
        *([f"at most {high:,}"] if high is not None else []),
        *([f"below {below:,}"] if below is not None else []),
    ]
    return f", {', '.join(bounds)}" if bounds else ""


def _figures() -> Iterator[str]:
    made = Measures([("class", "queue", 0.0)], ["group"], {}).figures()
    for title, section, meanings in (
        ("Figures of contacts: `all`, `queues`, `classes`", "classes", CONTACT_FIGURES),
        ("Figures of agents: `agents`", "agents", AGENT_FIGURES),
    ):
        (figures,) = made[section].values()
        if figures.keys() != meanings.keys():
            raise ValueError(
                f"figures without a text, or texts without: {figures.keys() ^ meanings.keys()}"
            )
        yield f"## {title}"
        yield table(
            ("figure", "meaning"),
            ((code(name), sentence(meaning)) for name, meaning in meanings.items()),
        )
