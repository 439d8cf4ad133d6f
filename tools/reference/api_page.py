"""docs/reference/api.md: every rpc, what it takes, answers, and may be refused with."""

from collections.abc import Iterator, Sequence

from huntgroup_contracts.registry import SERVICES
from huntgroup_runtime.settings import RuntimeSettings
from tools.reference.contracts import Contracts, Rpc, package_of
from tools.reference.fields import rows_of
from tools.reference.markdown import code, page, sentence, table
from tools.reference.reasons import Refusal
from tools.reference.refusals import refusals_of

CONTEXT, RECEIPT = "huntgroup.event.v1.CommandContext", "huntgroup.event.v1.Receipt"

INTRODUCTION = """gRPC without encryption, for the loopback or a private network. Any replica of a service takes any
call and carries it to the owner of the call's domain. Each address also serves `grpc.health.v1.Health` and reflection
(v1alpha). A refusal carries a reason code; [errors.md](errors.md) says what to do about each.

## Every call

- Each request is checked first, all fields at once. Beside the rules below: no text holds control characters other than
  tab and line feed, every enum value is a known one, and no number in milliseconds (`…_ms`) is negative.
- An empty text and an `…_UNSPECIFIED` are absent: only `required` forbids them. A number that is `required` is not 0.
- {deadlines}
- When not everybody can be let in, new work is refused first, then reads, and work in progress last. Each call below
  says which it is, and [limit load](../how-to/limit-load.md) how it is decided."""

COMMANDS = """## Every command

A command has a `context` and is answered with a `receipt` after its record was read back from the journal."""

WORK = {"NEW": "New work.", "READ": "A read.", "IN_PROGRESS": "Work in progress."}

REPEATED = """A command may be repeated with the same `command_id` for 24 hours: it takes effect once, and the reply is
the same, refusals included. So a retry keeps its `command_id`, and whoever wants another answer to the same question
chooses a new one. An id that was used for a command that said something else is refused (`COMMAND_ID_REUSED`)."""


def api_page(contracts: Contracts) -> str:
    """Return the page."""
    return page(
        "API",
        [INTRODUCTION.format(deadlines=deadlines())],
        command_section(contracts),
        *(service_section(contracts, service) for service in SERVICES),
    )


def deadlines() -> str:
    """Return how long a call may take, and how large a message may be."""
    names = (
        "grpc_deadline_ms",
        "grpc_deadline_ms_max",
        "grpc_stream_ms_max",
        "grpc_message_bytes_max",
    )
    usual, longest, stream, size = (RuntimeSettings.model_fields[name].default for name in names)
    return (
        f"A unary call ends at its caller's deadline, after {usual:,} ms when there is none, and after\n"
        f"  {longest:,} ms at the latest; a stream after {stream:,} ms. A message holds at most {size:,} bytes.\n"
        "  [Settings](settings.md) change these."
    )


def command_section(contracts: Contracts) -> Iterator[str]:
    """Yield what all commands have in common."""
    yield COMMANDS
    yield fields_table(contracts, CONTEXT, "context.", rules=True)
    yield fields_table(contracts, RECEIPT, "receipt.", rules=False)
    yield REPEATED


def service_section(contracts: Contracts, service: str) -> Iterator[str]:
    """Yield the rpcs of a service."""
    described = contracts.service_of(package_of(service))
    refusals = refusals_of(contracts, service)
    yield f"## {service}"
    yield f"`{described.full_name}`: {sentence(described.comment)}"
    for rpc in described.rpcs:
        yield f"### {rpc.name}"
        yield f"*{kind_of(contracts, rpc)} {WORK[rpc.work]}* {sentence(rpc.comment)}"
        yield fields_table(contracts, rpc.request, "", rules=True)
        if not is_command(contracts, rpc):
            yield "Answer:" if not rpc.response_stream else "Each message of the answer:"
            yield fields_table(contracts, rpc.response, "", rules=False)
        yield reasons_line(service, refusals[rpc.name])


def is_command(contracts: Contracts, rpc: Rpc) -> bool:
    """Return whether an rpc changes something: then a receipt is all it answers."""
    return any(field.kind == RECEIPT for field in contracts.messages[rpc.response].fields)


def kind_of(contracts: Contracts, rpc: Rpc) -> str:
    """Return what kind of call it is."""
    match rpc.request_stream, rpc.response_stream:
        case True, True:
            return "Stream in both directions."
        case True, False:
            return "Stream of requests, one answer."
        case False, True:
            return "Stream of answers."
        case _:
            return "Command." if is_command(contracts, rpc) else "Query."


def fields_table(contracts: Contracts, message: str, prefix: str, *, rules: bool) -> str:
    """Return the fields of a message; those of the context stand at the top of the page."""
    head = ("field", "type", "rules", "meaning") if rules else ("field", "type", "meaning")
    rows = []
    for row in rows_of(contracts, message, prefix=prefix):
        if not prefix and (row.path == "context" or row.path.startswith("context.")):
            continue
        meaning = sentence(row.meaning)
        shown = (row.rule, meaning) if rules else (meaning,)
        rows.append((code(row.path), row.kind, *shown))
    return table(head, rows)


def reasons_line(service: str, refusals: Sequence[Refusal]) -> str:
    """Return the reasons of one rpc, beside those of every call."""
    reasons = ", ".join(f"`{one.reason}` ({one.status})" for one in refusals)
    if not reasons:
        return "Reasons: those of [every call](errors.md#every-service)."
    return (
        f"Reasons: {reasons}: see [{service}](errors.md#{service}); and those of "
        "[every call](errors.md#every-service)."
    )
