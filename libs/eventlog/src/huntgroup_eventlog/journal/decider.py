"""The deciding half of an owner: inputs become batches on speculative state, answered after acceptance."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import (
    NEW_SHARE,
    CommandOutcome,
    CommandReusedError,
    OverloadedError,
)
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.chain import ChainState, chain_after
from huntgroup_eventlog.journal.command_memory import Remembered
from huntgroup_eventlog.journal.fold import Domain, Fold, SourceCursor
from huntgroup_eventlog.journal.log_time import LogTime
from huntgroup_eventlog.journal.snapshot import source_position
from huntgroup_eventlog.journal.source import SourceInput

BATCH_BYTES_MAX = 512 * 1024
"""No batch is larger. What follows from one input is never split, so more than this is a bug of a core."""

RETRY_LATE_MS = 60_000

_OUTCOME_BYTES = 64
_EVENT_BYTES = 160


def _never() -> bool:
    return False


class _Limits(Protocol):
    @property
    def batch_bytes_closing(self) -> int: ...
    @property
    def batches_in_flight_max(self) -> int: ...
    @property
    def domains_max(self) -> int: ...
    @property
    def remembered_commands_max(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Submission:
    """A command with its id; `ticket` identifies who waits for the outcome."""

    domain: str
    command_id: str
    command: Any
    check: int
    traceparent: str
    ticket: Any
    given_up: Callable[[], bool] = _never
    """Whether nobody waits for the outcome any more: then nothing is decided."""
    in_progress: bool = True
    """It serves what is here already and may use every bound to its end; new work may use `NEW_SHARE` of each."""

    @property
    def share(self) -> float:
        """How much of each bound it may use."""
        return 1.0 if self.in_progress else NEW_SHARE


@dataclass(slots=True)
class Pending:
    """A batch that was appended and not read back yet, and who waits for it: (ticket, result, command id)."""

    domain: str
    seq: int
    record_hash: bytes
    events: list[Any]
    answers: list[tuple[Any, Any, str]]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Repeated:
    """Stands for the outcome of a command of `domain` that was decided before, as it was remembered then."""

    domain: str
    remembered: Remembered


@dataclass(slots=True)
class _Draft:
    """A batch being filled."""

    entry: wire.JournalEntry
    batch: wire.Batch
    """The one in `entry`."""
    size: int = 0
    events: list[Any] = field(default_factory=list)
    answers: list[tuple[Any, Any, str]] = field(default_factory=list)


class Decider:
    """Decides inputs in order; one batch holds one domain and at most `BATCH_BYTES_MAX`."""

    def __init__(self, fold: Fold, limits: _Limits, owner: str) -> None:
        self.fold = fold
        self.limits = limits
        self.owner = owner
        self.inputs: deque[Submission | SourceInput] = deque()
        self.pending: deque[Pending] = deque()
        self.immediate: list[fx.Effect] = []
        self.during = "starting"
        self.deciding: Any = None
        """The ticket of the command that was decided last, while the batch that holds it may still fail."""
        self.epoch = 0
        self._chain = b""
        self._seq = 0
        self.time = LogTime()
        self._at_ms = 0
        self._moved: dict[str, SourceCursor] = {}
        self._open: _Draft | None = None
        self.resigned = False
        """Nothing more is decided: the last batch is on its way."""

    def begin(self, chain: ChainState) -> None:
        """Begin to decide, right after the own claim was read."""
        self.epoch, self._chain, self._seq = chain.epoch, chain.chain, 0

    def undecided(self) -> Iterator[Any]:
        """Yield the tickets of the commands that wait for decision or are in a batch not sealed yet."""
        yield from (one.ticket for one in self.inputs if isinstance(one, Submission))
        if self._open is not None:
            yield from (ticket for ticket, _, _ in self._open.answers)

    def decide(
        self, now_ms: int, *, heartbeat: bool, resign: bool
    ) -> Iterator[tuple[Pending, bytes]]:
        """Yield batches to append until nothing waits or enough are in flight."""
        if self.resigned:
            return
        self._at_ms = self.time.tick(now_ms, self.fold.at_ms)
        sealed = self._seq
        room = self.limits.batches_in_flight_max - len(self.pending)
        for name in self.fold.due(self._at_ms, room):
            yield from self._switch(name)
            self.deciding = None
            self._decide_time(self._draft())
        while self.inputs and len(self.pending) < self.limits.batches_in_flight_max:
            one = self.inputs[0]
            if isinstance(one, Submission):
                if not one.given_up():
                    yield from self._switch(one.domain)
                    self.deciding = one.ticket
                    self._decide_submission(self._draft(), one)
                self.inputs.popleft()
            elif one.commands:
                yield from self._switch(one.domain)
                self.deciding = None
                left = one.without(self._decide_source(self._draft(), one))
                if left.commands:
                    self.inputs[0] = left
                else:
                    self.inputs.popleft()
            else:
                self._moved[one.topic] = one.cursor
                self.inputs.popleft()
        yield from self._switch("")
        self.deciding = None
        last = resign and not self.inputs
        # Who waits for so many batches has shown signs of life, and one more would say nothing.
        silent = sealed == self._seq and len(self.pending) < self.limits.batches_in_flight_max
        if last or (heartbeat and silent):
            self.resigned = last
            self._open = self._new_draft("")
            self._open.batch.resigned = last
            yield self._seal(self._open)

    def answers(self, pending: Pending, position: int) -> Iterator[fx.Answer]:
        """Yield the answers that waited for this batch, and confirm its commands' positions."""
        for ticket, result, command_id in pending.answers:
            if isinstance(result, Remembered):
                if pending.domain in self.fold.domains and command_id:
                    self.fold.domains[pending.domain].memory.confirm(command_id, position)
                yield fx.Answer(ticket, outcome_of(command_id, result, position, repeated=False))
            elif isinstance(result, _Repeated):
                yield fx.Answer(ticket, self._repeated_outcome(result, command_id))
            else:
                yield fx.Answer(ticket, result)

    # How.

    def _draft(self) -> _Draft:
        if self._open is None:
            raise RuntimeError("no batch is open")
        return self._open

    def _new_draft(self, domain: str) -> _Draft:
        entry = wire.JournalEntry()
        batch = entry.batch
        batch.epoch, batch.owner, batch.at_ms = self.epoch, self.owner, self._at_ms
        batch.domain = domain
        return _Draft(entry, batch)

    def _is_full(self, draft: _Draft) -> bool:
        return draft.size >= self.limits.batch_bytes_closing

    def _switch(self, domain: str) -> Iterator[tuple[Pending, bytes]]:
        """Make the open batch one of `domain` with room for more; an empty name only seals the one before."""
        if self._open is not None:
            batch = self._open.batch
            if batch.domain == domain and not self._is_full(self._open):
                return
            if self._open.events or self._open.answers or batch.outcomes or batch.sources:
                yield self._seal(self._open)
        self._open = self._new_draft(domain) if domain else None

    def _decide_time(self, draft: _Draft) -> None:
        name = draft.batch.domain
        self.during = f"telling {name} the time"
        domain = self.fold.domains[name]
        core = self.fold.application.core
        decided = core.decide(domain.state, core.pass_time(), draft.batch.at_ms)
        if not isinstance(decided, tuple):
            raise TypeError(f"time cannot be refused: {decided.reason}")
        self._take_events(draft, decided, "", "")
        self.fold.refresh_deadline(name)
        deadline = core.next_deadline(domain.state)
        if not decided and deadline is not None and deadline <= draft.batch.at_ms:
            raise RuntimeError(
                f"the deadline {deadline} of {name} has come and nothing follows from it"
            )

    def _decide_submission(self, draft: _Draft, one: Submission) -> None:
        name = one.domain
        known = self.fold.domains.get(name)
        remembered = known.memory.recall(one.command_id) if known else None
        if remembered is not None:
            self._repeat(draft, one, remembered)
            return
        if self._is_beyond_bounds(one, known):
            return
        self.during = f"deciding {type(one.command).__name__} {one.command_id} of {name}"
        core = self.fold.application.core
        state = known.state if known else core.initial(name)
        decided = core.decide(state, one.command, draft.batch.at_ms)
        if not isinstance(decided, tuple):
            remembered = Remembered(-1, one.check, str(decided.reason), decided.detail)
        else:
            remembered = Remembered(-1, one.check)
        if known is None and not isinstance(decided, tuple):
            # Nothing is known of the domain, and nothing will be: a stranger's mistakes leave no trace.
            outcome = outcome_of(one.command_id, remembered, -1, repeated=False)
            self.immediate.append(fx.Answer(one.ticket, outcome))
            return
        domain = self.fold.domain(name)
        before = len(draft.events)
        if isinstance(decided, tuple):
            self._take_events(draft, decided, one.traceparent, one.command_id)
        draft.batch.outcomes.add(
            command_id=one.command_id,
            check=one.check,
            reason=remembered.reason,
            detail=remembered.detail,
            events=len(draft.events) - before,
        )
        draft.size += _OUTCOME_BYTES + len(remembered.detail)
        domain.memory.remember(one.command_id, remembered, draft.batch.at_ms)
        draft.answers.append((one.ticket, remembered, one.command_id))
        self.fold.refresh_deadline(name)

    def _is_beyond_bounds(self, one: Submission, known: Domain | None) -> bool:
        """Tell the caller when one more command would not be remembered, or one more domain not be held."""
        if known is None and len(self.fold.domains) >= self.limits.domains_max:
            told = f"a partition holds at most {self.limits.domains_max} domains (domains_max)"
            self.immediate.append(fx.Answer(one.ticket, OverloadedError(told, RETRY_LATE_MS)))
            return True
        most = self.limits.remembered_commands_max * one.share
        if known is not None and known.memory.count_at(self._at_ms) >= most:
            told = "too many commands in 24 hours (remembered_commands_max)"
            self.immediate.append(fx.Answer(one.ticket, OverloadedError(told, RETRY_LATE_MS)))
            return True
        return False

    def _repeat(self, draft: _Draft, one: Submission, remembered: Remembered) -> None:
        """Answer a command that was carried out before: once that is certain, and with the same reply."""
        if remembered.check != one.check:
            error = CommandReusedError(
                f"command_id {one.command_id!r} was used before for a command that said something else"
            )
            self.immediate.append(fx.Answer(one.ticket, error))
            return
        repeated = _Repeated(one.domain, remembered)
        answer = (one.ticket, repeated, one.command_id)
        if draft.events or draft.batch.outcomes or draft.batch.sources:
            draft.answers.append(answer)
        elif self.pending:
            self.pending[-1].answers.append(answer)
        else:
            self.immediate.append(
                fx.Answer(one.ticket, self._repeated_outcome(repeated, one.command_id))
            )

    def _repeated_outcome(self, repeated: _Repeated, command_id: str) -> CommandOutcome:
        found = repeated.remembered
        if found.position < 0:
            # It was in flight then; meanwhile it may also have been forgotten, at the turn of the 25th hour.
            found = self.fold.domains[repeated.domain].memory.recall(command_id) or found
        return outcome_of(command_id, found, found.position, repeated=True)

    def _decide_source(self, draft: _Draft, one: SourceInput) -> int:
        """Decide what follows from a foreign entry until the batch is full; return how many commands that took.

        A burst of foreign events may call for many times its size: the rest goes into the next batch.
        """
        core = self.fold.application.core
        domain, count = self.fold.domain(one.domain), 0
        for source in one.commands:
            count += 1
            self.during = f"taking in {source.event_type} of {one.domain} from {one.topic}"
            decided = core.decide(domain.state, source.command, draft.batch.at_ms)
            if not isinstance(decided, tuple):
                raise TypeError(f"an observation cannot be refused: {decided.reason}")
            self._take_events(draft, decided, source.traceparent, source.causation_id)
            if self._is_full(draft):
                break
        self._moved.pop(one.topic, None)
        self._note_source(draft, one.topic, one.cursor_after(count))
        self.fold.refresh_deadline(one.domain)
        return count

    def _note_source(self, draft: _Draft, topic: str, cursor: SourceCursor) -> None:
        for position in draft.batch.sources:
            if position.topic == topic:
                position.CopyFrom(source_position(topic, cursor))
                return
        draft.batch.sources.append(source_position(topic, cursor))

    def _take_events(
        self, draft: _Draft, events: Sequence[Any], traceparent: str, causation_id: str
    ) -> None:
        application, domain = self.fold.application, self.fold.domains[draft.batch.domain]
        for event in events:
            event_type, payload = application.codec.encode(event)
            domain.state = application.core.evolve(domain.state, event)
            domain.sequence += 1
            draft.batch.events.add(
                type=event_type,
                payload=payload,
                sequence=domain.sequence,
                traceparent=traceparent,
                causation_id=causation_id,
            )
            draft.events.append(event)
            draft.size += _EVENT_BYTES + len(payload)

    def _seal(self, draft: _Draft) -> tuple[Pending, bytes]:
        batch = draft.batch
        for topic, cursor in self._moved.items():
            self._note_source(draft, topic, cursor)
        self._moved.clear()
        self._seq += 1
        batch.seq, batch.prev_hash, batch.relayed = self._seq, self._chain, self.fold.relayed
        value = draft.entry.SerializeToString(deterministic=True)
        if len(value) > BATCH_BYTES_MAX:
            raise OverflowError(f"a batch of {len(value)} bytes exceeds {BATCH_BYTES_MAX}")
        self._chain = chain_after(self._chain, value)
        self._open = None
        causes = dict.fromkeys(one.traceparent for one in batch.events if one.traceparent)
        pending = Pending(
            batch.domain, self._seq, self._chain, draft.events, draft.answers, tuple(causes)
        )
        self.pending.append(pending)
        return pending, value


def outcome_of(
    command_id: str, remembered: Remembered, position: int, *, repeated: bool
) -> CommandOutcome:
    """Return the outcome to tell for a remembered command."""
    return CommandOutcome(
        command_id=command_id,
        position=position,
        reason=remembered.reason,
        detail=remembered.detail,
        repeated=repeated,
    )
