"""docs/reference/errors.md: statuses, reason codes, and what a caller does about them."""

from collections.abc import Iterator

from huntgroup_contracts.registry import SERVICES
from tools.reference.contracts import Contracts
from tools.reference.markdown import code, listed, page, sentence, table
from tools.reference.reasons import Refusal
from tools.reference.refusals import (
    ReasonsError,
    check_services,
    frame_reasons,
    refusals_of,
    texts,
)

INTRODUCTION = """A call that is refused ends with a gRPC status, a sentence for people, and details for programs in
`grpc-status-details-bin` (a `google.rpc.Status`). Decide by status and reason; the sentence may change."""

DETAILS = (
    (
        "`google.rpc.ErrorInfo`",
        "with every reason",
        (
            "`reason`, the code; `domain`, whose code it is, for example `huntgroup.agent-state`. For a command that "
            "a service refused also `metadata`: `command_id`, `position` of the record that holds the refusal, and "
            "`repeated` when the same reply was given before. For a call that was not let in: `bound`, what was "
            "reached, and `setting`, the variable that says so. For a stream that was read too slowly: `position`"
        ),
    ),
    (
        "`google.rpc.BadRequest`",
        "with `INVALID_REQUEST`, when fields break rules of [the API](api.md)",
        (
            "one `field_violation` a field: `field`, its path; `reason`, the rule; `description`, the rule and the "
            "value, of which at most 64 characters"
        ),
    ),
    (
        "`google.rpc.RetryInfo`",
        "with RESOURCE_EXHAUSTED and a reason of every service",
        "`retry_delay`: when to try again, at the earliest",
    ),
)

REMEMBERED = """A command that was refused with a reason of a service was answered, and the answer is remembered: the
same `command_id` gets it again for 24 hours. "Ask again" below therefore means: with a new `command_id`. Only where
nothing has ever happened in a domain a refusal leaves no trace, and its `position` is -1. Queries and streams have no
`command_id`."""


def errors_page(contracts: Contracts) -> str:
    """Return the page."""
    check_services()
    return page(
        "Errors",
        [INTRODUCTION, table(("detail", "there", "says"), DETAILS)],
        status_section(contracts),
        frame_section(),
        *(service_section(contracts, service) for service in SERVICES),
    )


def status_section(contracts: Contracts) -> Iterator[str]:
    """Yield what to do about each status; raises `ReasonsError` when one is not told of."""
    advice = texts()["status"]
    used = {refusal.status for refusal, _ in frame_reasons()}
    for service in SERVICES:
        used |= {one.status for met in refusals_of(contracts, service).values() for one in met}
    if used - advice.keys():
        raise ReasonsError(f"nothing is said about {sorted(used - advice.keys())}")
    yield "## What to do"
    yield table(("status", "what to do"), ((code(one), advice[one]) for one in advice))
    yield REMEMBERED


def frame_section() -> Iterator[str]:
    """Yield the reasons of every service."""
    yield "## Every service"
    yield table(
        ("reason", "status", "meaning"),
        (
            (code(one.reason), code(one.status), sentence(meaning))
            for one, meaning in frame_reasons()
        ),
    )


def service_section(contracts: Contracts, service: str) -> Iterator[str]:
    """Yield the reasons of one service, with the rpcs that answer with each."""
    met: dict[Refusal, list[str]] = {}
    for rpc, refusals in refusals_of(contracts, service).items():
        for refusal in refusals:
            met.setdefault(refusal, []).append(rpc)
    yield f"## {service}"
    yield table(
        ("reason", "status", "of", "meaning, and what to do"),
        (
            (
                code(refusal.reason),
                code(refusal.status),
                listed(met[refusal]),
                sentence(texts()[service][refusal.reason]),
            )
            for refusal in sorted(met)
        ),
    )
