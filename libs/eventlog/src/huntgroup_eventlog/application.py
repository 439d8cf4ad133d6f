"""What a service gives to the journal: its pure core, how its events are written, how it reacts to others."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

NEW_SHARE: Final = 0.5
"""So much of each bound (inputs, tokens, places, streams) new work may use; the rest is for work in progress."""


class Refusal(Protocol):
    """An expected "no" of a core: a reason code and a sentence for people."""

    @property
    def reason(self) -> str:
        """The reason code, for example `WRONG_STATE` (a `StrEnum` member of the service)."""
        ...

    @property
    def detail(self) -> str:
        """One sentence that names the field, the value and the rule."""
        ...


class Core(Protocol):
    """The pure part of a service, for one domain at a time. State, commands and events are the service's own types."""

    def initial(self, domain: str) -> Any:
        """Return the state of a domain in which nothing has happened."""
        ...

    def decide(self, state: Any, command: Any, at_ms: int) -> tuple[Any, ...] | Refusal:
        """Return the events that follow from `command` at log time `at_ms`, or a refusal; change nothing."""
        ...

    def evolve(self, state: Any, event: Any) -> Any:
        """Return the state after `event`; may change and return the state it was given."""
        ...

    def next_deadline(self, state: Any) -> int | None:
        """Return the log time at which time alone will change something, or None."""
        ...

    def pass_time(self) -> Any:
        """Return the command that says that time has passed (`PassTime`)."""
        ...

    def dump(self, state: Any) -> bytes:
        """Return the state in a canonical form: equal states give equal bytes."""
        ...

    def load(self, domain: str, dumped: bytes) -> Any:
        """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
        ...


class EventCodec(Protocol):
    """How the events of a service are written to its journal."""

    def encode(self, event: Any) -> tuple[str, bytes]:
        """Return the public type of `event` and its payload."""
        ...

    def decode(self, event_type: str, payload: bytes) -> Any:
        """Return the event; raise `UnknownEventError` or `ValueError` when it cannot be read."""
        ...


class UnknownEventError(ValueError):
    """The type of an event is not among those of the service; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEvent:
    """One accepted event of another service, as its journal holds it."""

    service: str
    domain: str
    type: str
    payload: bytes
    at_ms: int
    sequence: int
    event_id: str
    traceparent: str


class Reactions(Protocol):
    """How a service takes in the facts of others."""

    @property
    def sources(self) -> Sequence[str]:
        """The services whose journals are read, for example `("session", "agent-state")`."""
        ...

    @property
    def types(self) -> Collection[str]:
        """The public types of the facts that may be of concern: `react` is asked about no others."""
        ...

    def react(self, event: ForeignEvent) -> Any | None:
        """Return the `Observe…` command for a foreign fact, or None when it is of no concern.

        Raises `ValueError` when the payload cannot be decoded: the event is parked then.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A service as the journal runs it."""

    service: str
    core: Core
    codec: EventCodec
    reactions: Reactions
    code_version: str
    """Names the code of core and codec; snapshots of other code are ignored."""
    source_linger_ms: int = 0
    """So long (real time) foreign facts are gathered before they are taken in: for a service that only looks on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedEvent:
    """One event of the own journal, after acceptance, decoded: what effects, streams and projections see."""

    domain: str
    event: Any
    type: str
    payload: bytes
    at_ms: int
    sequence: int
    event_id: str
    position: int
    traceparent: str
    causation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """What became of a command, told after its record was read back and accepted."""

    command_id: str
    position: int
    """Position of the record that holds it; -1 for a refusal that left no trace (nothing is known of the domain)."""
    reason: str = ""
    """Reason code of a refusal; empty: accepted."""
    detail: str = ""
    repeated: bool = False
    """The command had been carried out before; this is the same reply again."""


class NotOwnerError(Exception):
    """This replica does not own the partition now; `address` is the owner's, or empty when nobody is known."""

    def __init__(self, address: str = "") -> None:
        super().__init__(f"owned by {address}" if address else "no owner is known")
        self.address = address


class OutcomeUnknownError(Exception):
    """The command's record was appended, and its owner ended before it was accepted: repeat it with the same id."""


class OverloadedError(Exception):
    """A bound was reached and nothing was done; the message names the bound. `retry_after_ms` is a hint."""

    def __init__(self, message: str, retry_after_ms: int = 100) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class CommandReusedError(ValueError):
    """The command id was used before for a command that said something else; nothing was done."""


class PartitionHaltedError(Exception):
    """A bug stopped the partition on this replica; the message says where. Nothing was done."""


class CommandFailedError(PartitionHaltedError):
    """It was stopped by deciding this very command, which is to be tried nowhere else: it would fail there, too."""
