"""What each call can be refused with, and what there is to say about it."""

import ast
import inspect
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from huntgroup_contracts.registry import SERVICES
from huntgroup_runtime.rpc import errors
from tools.reference.contracts import Contracts, package_of
from tools.reference.reasons import Refusal, code_of, frame_refusals, statuses_of
from tools.reference.source import documented

TEXTS = Path(__file__).with_name("reasons.toml")

EVERYTHING = "*"
"""In `not_met`: the call is never refused by the service."""

ByRpc = Mapping[str, Sequence[Refusal]]


class ReasonsError(ValueError):
    """The code and `reasons.toml` do not name the same reasons; the message says which."""


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Return what `reasons.toml` says, by service and reason."""
    return tomllib.loads(TEXTS.read_text(encoding="utf-8"))


def frame_reasons() -> Sequence[tuple[Refusal, str]]:
    """Return the refusals of the frame and what each means; raises `ReasonsError` when one has no status."""
    meanings = documented(ast.parse(inspect.getsource(errors)))
    found = sorted(frame_refusals())
    if {one.reason for one in found} != meanings.keys():
        raise ReasonsError(f"reasons without status or meaning: {sorted(meanings)} {found}")
    return [(one, meanings[one.reason]) for one in found]


def refusals_of(contracts: Contracts, service: str) -> ByRpc:
    """Return the refusals of each rpc of a service, without those of the frame; raises `ReasonsError`."""
    code, frame = code_of(service), frame_refusals()
    not_met = texts()["not_met"]
    found = {}
    for rpc in contracts.service_of(package_of(service)).rpcs:
        refusals = code.refusals(rpc.name) - frame
        never = set(not_met.get(f"{service}.{rpc.name}", ()))
        if never == {EVERYTHING}:
            never = {one.reason for one in refusals}
        if never - {one.reason for one in refusals}:
            raise ReasonsError(f"not_met of {service}.{rpc.name} names what is not there: {never}")
        found[rpc.name] = sorted(one for one in refusals if one.reason not in never)
    _check(service, {one.reason for refusals in found.values() for one in refusals})
    return found


def _check(service: str, met: set[str]) -> None:
    """Refuse reasons that no call meets, and texts that are missing or left over."""
    told = texts()[service].keys()
    if told != met or statuses_of(service).keys() - met:
        raise ReasonsError(
            f"{service}: without a text: {sorted(met - told)}; without a call that meets it: "
            f"{sorted((told | statuses_of(service).keys()) - met)}"
        )


def check_services() -> None:
    """Raise `ReasonsError` when `reasons.toml` speaks of a service that is not there."""
    unknown = texts().keys() - {*SERVICES, "not_met", "status"}
    if unknown:
        raise ReasonsError(f"no such service: {sorted(unknown)}")
