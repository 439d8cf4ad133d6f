"""docs/reference/policy.md and policy.schema.json: the format of `huntgroup policy`, from the contract of a queue."""

import json
import re
from collections.abc import Iterator
from typing import Any

from huntgroup_onebox.policy.policy_file import SECTIONS
from tools.reference.contracts import Contracts, Field
from tools.reference.fields import NUMBERS, rule_of
from tools.reference.markdown import code, page, sentence, table

QUEUE = "huntgroup.routing.v1.ConfigureQueueRequest"
SKILL = "huntgroup.routing.v1.DeclaredSkill"
VOCABULARY = "huntgroup.routing.v1.Vocabulary"
LEFT_OUT = ("context", "queue_id")

INTRODUCTION = """A policy file says which queues a domain has, and by which rules each of them works. `huntgroup
policy check FILE` and its sisters plan, apply and roll it back ([how](../how-to/change-a-policy.md)); what a change
means for those who wait is in [routing](routing.md#the-policy-of-a-domain). A queue that is not in the file retires
when it is applied. Examples: [policies](../../loadtests/policies)."""

RULES = """A name that the format does not know is an error, and so is one that is there twice. Every fault is told,
each as `file:line:column: field: value: rule`, and the exit code is 2. `policy.schema.json`, beside this page, is
the same format for editors: put `# yaml-language-server: $schema=PATH/policy.schema.json` on the first line."""

WORDS = """The first three sections declare the words that requirements may use. Where a section is left out, any
word of its kind will do. With it, these are faults, too: a skill, language or group that is not declared, and a
level that is higher than anybody has."""

SECTION_MEANINGS = {
    "skills": (
        "list of names, or names with levels",
        "Skills; beside a name the highest level anybody has it at, nothing: 100.",
    ),
    "languages": ("list of names", "Languages."),
    "groups": ("list of names", "Groups of agents."),
    "queues": (
        "by name: [a queue](#a-queue)",
        "All queues of the domain; needed, `{}` when there are none.",
    ),
}

FAULTS = (
    "a field that breaks its rule in the table above, or that there is not",
    "a requirement that cannot be understood, with the character; one that is always true or that nobody can ever meet",
    "a requirement that nobody can meet who has the `required_skills` beside it",
    "a step that is never come to: it begins no later than the one before, or when rules have let every contact go",
    "a step that asks for the same as the one before",
    "queues that overflow in a circle, to one that is not in the file, or to one that takes another channel alone",
    "a skill, a language or a group that is not declared, and a level that nobody has",
    "two queues of the same name, a language or a group declared twice",
    "a field that says nothing: of another strategy, or of callbacks where the queue takes none",
    "a QUEUE_LENGTH of `overflow` above `waiting_max`",
)


OF_THE_API = """`ApplyPolicy` and `PlanPolicy` tell a fault in the same words, with the field as it is in the request:
`queues[3].steps[0].after_ms: 9000: is not later than …`. They take a policy whose only faults are words declared twice,
fields that say nothing and such a QUEUE_LENGTH."""


def policy_page(contracts: Contracts) -> str:
    """Return the page."""
    return page(
        "Policy files",
        [sentence(INTRODUCTION), EXAMPLE, sentence(RULES)],
        ["## The file", sentence(WORDS), _sections()],
        ["## A queue", *_fields_of(contracts, QUEUE, "queues.NAME")],
        ["## What is a fault", "\n".join(f"- {one}" for one in FAULTS), sentence(OF_THE_API)],
    )


EXAMPLE = """```yaml
skills: {tax: 5, loan: }
languages: [ar, fa]
queues:
  sales:
    channel: VOICE
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
  tax:
    channel: VOICE
    ring_timeout_ms: 20000
    service_level_threshold_ms: 20000
    requirement: skill("tax") >= 3 and lang in ("ar", "fa")
    steps:
      - after_ms: 30000
        requirement: skill("tax")
```"""


def _sections() -> str:
    rows = ((code(name), *SECTION_MEANINGS[name]) for name in SECTIONS)
    return table(("section", "type", "meaning"), rows)


def _fields_of(contracts: Contracts, message: str, title: str) -> Iterator[str]:
    within = []
    rows = []
    for field in contracts.messages[message].fields:
        if message == QUEUE and field.name in LEFT_OUT:
            continue
        rows.append(
            (code(field.name), _kind(contracts, field), rule_of(field), sentence(field.comment))
        )
        if field.kind in contracts.messages and field.kind not in within:
            within.append(field.kind)
    yield table((f"field of `{title}`", "type", "rules", "meaning"), rows)
    for kind in within:
        name = kind.rpartition(".")[2]
        yield f"### {name}"
        yield sentence(contracts.messages[kind].comment)
        yield from _fields_of(contracts, kind, name)


def _kind(contracts: Contracts, field: Field) -> str:
    name = field.kind.rpartition(".")[2]
    if field.kind in contracts.enums:
        name = ", ".join(map(code, _values(contracts, field.kind)))
    elif field.kind in contracts.messages:
        name = f"[{name}](#{name.lower()})"
    else:
        name = {"string": "text", "bool": "true or false"}.get(name, "whole number")
    return f"list of {name}" if field.repeated else name


def _values(contracts: Contracts, enum: str) -> list[str]:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.rpartition(".")[2]).upper() + "_"
    values = (name.removeprefix(prefix) for name in contracts.enums[enum].values)
    return [name for name in values if name != "UNSPECIFIED"]


def policy_schema(contracts: Contracts) -> str:
    """Return the JSON schema."""
    definitions: dict[str, Any] = {}
    _define(contracts, QUEUE, definitions)
    (skill, _) = contracts.messages[SKILL].fields
    words = {one.name: one for one in contracts.messages[VOCABULARY].fields}
    queue_id = next(one for one in contracts.messages[QUEUE].fields if one.name == "queue_id")
    level = {"type": ["integer", "null"], "minimum": 1, "maximum": 100}
    name = _scalar(contracts, skill)
    schema = {
        "$comment": "Generated by `make docs`.",
        "$schema": "https:" + "//json-schema.org/draft/2020-12/schema",
        "title": "The queues of a Huntgroup domain",
        "type": "object",
        "required": ["queues"],
        "additionalProperties": False,
        "properties": {
            "skills": {
                "anyOf": [
                    {"type": "array", "items": name},
                    {"type": "object", "propertyNames": name, "additionalProperties": level},
                ]
            },
            **{each: _property(contracts, words[each]) for each in ("languages", "groups")},
            "queues": {
                "type": "object",
                "propertyNames": _scalar(contracts, queue_id),
                "additionalProperties": {"$ref": f"#/$defs/{QUEUE.rpartition('.')[2]}"},
            },
        },
        "$defs": definitions,
    }
    return json.dumps(schema, indent=2) + "\n"


def _define(contracts: Contracts, message: str, definitions: dict[str, Any]) -> None:
    """Add a message, and those within it."""
    left_out = LEFT_OUT if message == QUEUE else ()
    fields = [one for one in contracts.messages[message].fields if one.name not in left_out]
    definitions[message.rpartition(".")[2]] = {
        "type": "object",
        "description": contracts.messages[message].comment,
        "additionalProperties": False,
        "required": [one.name for one in fields if one.rules.required],
        "properties": {one.name: _property(contracts, one) for one in fields},
    }
    for one in fields:
        if one.kind in contracts.messages and one.kind.rpartition(".")[2] not in definitions:
            _define(contracts, one.kind, definitions)


def _property(contracts: Contracts, field: Field) -> dict[str, Any]:
    made = _scalar(contracts, field)
    if field.repeated:
        made = {"type": "array", "items": made}
        if field.rules.max_items:
            made["maxItems"] = field.rules.max_items
    return {**made, "description": field.comment} if field.comment else made


def _scalar(contracts: Contracts, field: Field) -> dict[str, Any]:
    rules = field.rules
    if field.kind in contracts.enums:
        return {"enum": _values(contracts, field.kind)}
    if field.kind in contracts.messages:
        return {"$ref": f"#/$defs/{field.kind.rpartition('.')[2]}"}
    if field.kind in NUMBERS:
        lowest = max(rules.min, 1) if rules.required else rules.min
        return {
            "type": "integer",
            "minimum": lowest,
            **({"maximum": rules.max} if rules.max else {}),
        }
    if field.kind == "bool":
        return {"type": "boolean"}
    made: dict[str, Any] = {"type": "string"}
    if rules.max_length:
        made["maxLength"] = rules.max_length
    if rules.pattern:
        made["pattern"] = f"^({rules.pattern})$"
    return made
