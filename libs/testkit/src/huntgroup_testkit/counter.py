"""A tiny service for tests of the journal: counters that only grow, a timer, a refusal, and a foreign fact."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from huntgroup_eventlog.application import Application, ForeignEvent, UnknownEventError


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Adds `amount`; refused when it is negative. `explode` is a bug."""

    name: str
    amount: int
    explode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """Asks for one `Reminded` after `delay_ms`."""

    name: str
    delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveAdded:
    """Another counter service added something."""

    name: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTime:
    """Time has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """`total` is the counter after the addition."""

    at_ms: int
    name: str
    amount: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderSet:
    """A reminder is due then."""

    at_ms: int
    name: str
    due_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """The reminder came."""

    at_ms: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The counter's "no"."""

    reason: str
    detail: str


@dataclass(slots=True)
class Counters:
    """All counters of a domain."""

    totals: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)


Command = Add | Remind | ObserveAdded | PassTime
Event = Added | ReminderSet | Reminded


class CounterCore:
    """The pure part."""

    def initial(self, domain: str) -> Counters:
        """Return no counters."""
        del domain
        return Counters()

    def decide(self, state: Counters, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        """Decide one command."""
        match command:
            case Add(name=name, amount=amount, explode=explode):
                if explode:
                    raise ZeroDivisionError("a bug on purpose")
                if amount < 0:
                    return Refused(
                        reason="NEGATIVE", detail=f"amount is {amount}; it must not be negative"
                    )
                return (
                    Added(
                        at_ms=at_ms,
                        name=name,
                        amount=amount,
                        total=state.totals.get(name, 0) + amount,
                    ),
                )
            case ObserveAdded(name=name, amount=amount):
                return (
                    Added(
                        at_ms=at_ms,
                        name=name,
                        amount=amount,
                        total=state.totals.get(name, 0) + amount,
                    ),
                )
            case Remind(name=name, delay_ms=delay_ms):
                return (ReminderSet(at_ms=at_ms, name=name, due_ms=at_ms + delay_ms),)
            case PassTime():
                return tuple(
                    Reminded(at_ms=at_ms, name=name)
                    for name, due in state.due.items()
                    if due <= at_ms
                )

    def evolve(self, state: Counters, event: Event) -> Counters:
        """Fold one event; a total that does not follow is a bug and shows at once."""
        match event:
            case Added(name=name, amount=amount, total=total):
                if state.totals.get(name, 0) + amount != total:
                    raise AssertionError(
                        f"{name}: {state.totals.get(name, 0)} + {amount} is not {total}"
                    )
                state.totals[name] = total
            case ReminderSet(name=name, due_ms=due_ms):
                state.due[name] = due_ms
            case Reminded(name=name):
                del state.due[name]
        return state

    def next_deadline(self, state: Counters) -> int | None:
        """Return the earliest reminder."""
        return min(state.due.values(), default=None)

    def pass_time(self) -> PassTime:
        """Return the command that says that time has passed."""
        return PassTime()

    def dump(self, state: Counters) -> bytes:
        """Return the counters, sorted."""
        return msgspec.msgpack.encode([sorted(state.totals.items()), sorted(state.due.items())])

    def load(self, domain: str, dumped: bytes) -> Counters:
        """Return the counters that `dump` wrote."""
        del domain
        totals, due = msgspec.msgpack.decode(
            dumped, type=tuple[list[tuple[str, int]], list[tuple[str, int]]]
        )
        return Counters(dict(totals), dict(due))


ADDED = "huntgroup.counter.added.v1"

_EVENTS: dict[str, type] = {
    f"huntgroup.counter.{c.__name__.lower()}.v1": c for c in (Added, ReminderSet, Reminded)
}


class CounterCodec:
    """Events as msgpack."""

    def encode(self, event: Event) -> tuple[str, bytes]:
        """Return type and payload."""
        return f"huntgroup.counter.{type(event).__name__.lower()}.v1", msgspec.msgpack.encode(event)

    def decode(self, event_type: str, payload: bytes) -> Event:
        """Return the event."""
        if event_type not in _EVENTS:
            raise UnknownEventError(event_type)
        decoded: Event = msgspec.msgpack.decode(payload, type=_EVENTS[event_type])
        return decoded


class CounterReactions:
    """Takes over every addition of the source services."""

    def __init__(self, sources: Sequence[str] = ()) -> None:
        self.sources = sources
        self.types = (ADDED,)

    def react(self, event: ForeignEvent) -> ObserveAdded | None:
        """Return the observation of a foreign addition."""
        if event.type != ADDED:
            return None
        try:
            added = msgspec.msgpack.decode(event.payload, type=Added)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error
        return ObserveAdded(name=added.name, amount=added.amount)


def counter_application(service: str = "counter", sources: Sequence[str] = ()) -> Application:
    """Return the counter service under the name `service`, which follows `sources`."""
    return Application(
        service=service,
        core=CounterCore(),
        codec=CounterCodec(),
        reactions=CounterReactions(sources),
        code_version="test-1",
    )
