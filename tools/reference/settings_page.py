"""docs/reference/settings.md: every variable of every process."""

import ast
import os
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from unittest.mock import patch

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import AfterValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from huntgroup_contracts.registry import SERVICES
from huntgroup_onebox.box import box_settings
from huntgroup_runtime.settings import RuntimeSettings
from tools.reference.markdown import code, listed, page, sentence, table
from tools.reference.source import class_source, documented, headings, raised_sentences

VARIABLE = re.compile(r"HUNTGROUP_[A-Z0-9_]*[A-Z0-9]")
NEVER_VALID = ("no", 7, SecretStr("no"))
"""What no setting with a rule of its own accepts: the refusal says the rule."""

INTRODUCTION = """Every process reads its settings from the environment, once, at its start. A variable that is empty
counts as not set. A value that cannot be used ends the process with exit code 2 and a line on standard error that
names variable, value and rule."""

OTHERS = {
    "HUNTGROUP_CLUSTER": (
        "`huntgroup demo --target cluster`: the file that describes the cluster, as `huntgroup cluster` writes it; "
        "not set: `var/cluster/cluster.json`, else the standard ports."
    ),
    "HUNTGROUP_KAFKA_HOME": (
        "`huntgroup cluster` and the tests: the folder of Kafka's jars; not set: `.kafka` at the top of the repository."
    ),
    "HUNTGROUP_TEST_KAFKA": "The tests: `host:port` of a Kafka to use instead of starting one.",
}


def settings_page(root: Path) -> str:
    """Return the page; `root` is the repository whose source is searched for variables."""
    classes: list[tuple[str, type[BaseSettings]]]
    with patch.dict(os.environ, _without_ours(), clear=True):
        classes = [("Every process", RuntimeSettings), *service_classes()]
        return page(
            "Settings",
            [INTRODUCTION],
            *(class_section(name, cls) for name, cls in classes),
            rest_sections(root, [cls for _, cls in classes]),
        )


def _without_ours() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not VARIABLE.fullmatch(name)}


def service_classes() -> Iterator[tuple[str, type[BaseSettings]]]:
    """Yield the settings of the services that have some."""
    for service in SERVICES:
        module = import_module(f"huntgroup_{service.replace('-', '_')}.settings")
        for found in vars(module).values():
            if isinstance(found, type) and found.__module__ == module.__name__:
                assert issubclass(found, BaseSettings)
                yield service, found


def class_section(name: str, cls: type[BaseSettings]) -> Iterator[str]:
    """Yield the variables of one class, under the headings that its source has."""
    meanings, groups = documented(class_source(cls)), headings(cls)
    yield f"## {name}"
    for group in dict.fromkeys(groups.values()):
        if group:
            yield f"### {group}"
        yield table(
            ("variable", "default", "range", "meaning"),
            (
                (
                    code(variable(cls, field)),
                    default_of(info),
                    range_of(info),
                    _with_variables(cls, meanings.get(field, "")),
                )
                for field, info in cls.model_fields.items()
                if groups[field] == group
            ),
        )
    rules = [f"- {_with_variables(cls, sentence(text))}" for text in raised_sentences(cls)]
    if rules:
        yield "Together:"
        yield "\n".join(rules)


def variable(cls: type[BaseSettings], field: str) -> str:
    """Return the name of the variable of a field."""
    return f"{cls.model_config['env_prefix']}{field.upper()}"


def default_of(info: FieldInfo) -> str:
    """Return the default of a setting."""
    if info.default is PydanticUndefined:
        made = (getattr(info.default_factory, "__doc__", "") or "").strip()
        return f"made at the start: {made.removeprefix('Return ').rstrip('.')}"
    value = info.default.get_secret_value() if isinstance(info.default, SecretStr) else info.default
    return code(str(value)) or "empty"


def range_of(info: FieldInfo) -> str:
    """Return what values a setting takes."""
    if get_origin(info.annotation) is Literal:
        return listed(map(str, get_args(info.annotation)))
    lowest = highest = None
    unit = ""
    for rule in info.metadata:
        match rule:
            case Ge(ge=limit):
                lowest = limit
            case Le(le=limit):
                highest = limit
            case MinLen(min_length=limit):
                lowest, unit = limit, " characters"
            case MaxLen(max_length=limit):
                highest, unit = limit, " characters"
            case AfterValidator(func=check):
                return _rule_of(check)
            case _:
                raise ValueError(f"there are no words for the rule {rule}")
    if lowest is None and highest is None:
        return ""
    return (
        f"{lowest:,} to {highest:,}{unit}" if highest is not None else f"{lowest:,} or more{unit}"
    )


def _rule_of(check: Any) -> str:
    """Return the rule that a check of our own tells those who break it."""
    for value in NEVER_VALID:
        try:
            check(value)
        except ValueError as error:
            return str(error)
        except (AttributeError, TypeError):
            continue  # a value of another kind
    raise ValueError(f"{check} refuses nothing")


def _with_variables(cls: type[BaseSettings], text: str) -> str:
    names = {field: code(variable(cls, field)) for field in cls.model_fields}
    return re.sub(r"`?\b(\w+)\b`?", lambda word: names.get(word[1], word[0]), text)


def rest_sections(root: Path, classes: Sequence[type[BaseSettings]]) -> Iterator[str]:
    """Yield what onebox sets by itself, and the variables that are no setting of a process."""
    defaults, boxed = RuntimeSettings().model_dump(), box_settings().model_dump()
    fixed = [
        f"`{variable(RuntimeSettings, name)}` is `{value}`"
        for name, value in boxed.items()
        if value != defaults[name] and name != "owner_id"
    ]
    yield "## Onebox"
    yield (
        f"`huntgroup serve onebox` sets some of these itself, whatever the environment says: {', '.join(fixed)}; "
        "`HUNTGROUP_LOG_URL` is the directory given with `--data`, and `HUNTGROUP_SNAPSHOT_URL` is `snapshots` in it."
    )
    known = {variable(cls, name) for cls in classes for name in cls.model_fields}
    found = set(variables_in(root)) - known
    if found != OTHERS.keys():
        raise ValueError(f"variables without a meaning, or without a use: {found ^ OTHERS.keys()}")
    yield "## Tools"
    yield table(("variable", "meaning"), ((code(name), text) for name, text in OTHERS.items()))
    yield (
        "Credentials of object storage are read under their provider's own names, for example `AWS_ACCESS_KEY_ID` "
        "and `AWS_REGION`."
    )


def variables_in(root: Path) -> Iterator[str]:
    """Yield every variable of ours that the source names as a text of its own."""
    for folder in ("libs", "services", "loadtests"):
        for path in (root / folder).glob("**/src/huntgroup_*/**/*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                match node:
                    case ast.Constant(value=str(text)) if VARIABLE.fullmatch(text):
                        yield text
                    case _:
                        pass
