"""One replica of one journal partition: follows the log, claims it, decides, and retires. Sans-IO.

The world feeds it what it read and what it was asked (`read`, `submit`, `take_in`, …), calls `advance`, and carries
out the effects it finds in `effects`. The same class runs under asyncio in production and under a seeded scheduler
in simulation.
"""

import enum
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import (
    Application,
    CommandFailedError,
    NotOwnerError,
    OutcomeUnknownError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.chain import ChainReader, ChainState, Ignored, Unreadable
from huntgroup_eventlog.journal.decider import Decider, Submission
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.snapshot import Restored, dump_snapshot, record_digest
from huntgroup_eventlog.journal.source import SourceInput


class Role(enum.Enum):
    """What a replica is to its partition."""

    FOLLOWING = "following"
    CLAIMING = "claiming"
    OWNING = "owning"
    RETIRED = "retired"
    HALTED = "halted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one partition; each is told to the caller when it is reached."""

    batch_bytes_closing: int = 128 * 1024
    batches_in_flight_max: int = 8
    inputs_waiting_max: int = 10_000
    remembered_commands_max: int = 16_000_000
    unrelayed_batches_max: int = 10_000
    unrelayed_bytes_max: int = 64 * 1_048_576
    domains_max: int = 1_000
    snapshot_every_records: int = 5_000


def _told(share: float) -> str:
    return "" if share == 1 else f": {share:.0%} of it for new work"


def _result(read: Callable[[Any], Any], state: Any) -> Any:
    """Return what `read` returns or raises: that something is not there rests on the state as much as what is."""
    try:
        return read(state)
    except StopIteration as error:
        return RuntimeError(f"a read ended with {error!r}")  # a future takes none
    except Exception as error:  # noqa: BLE001  whatever it is, it is for whoever asked
        return error


class Replica:
    """The state machine of one replica; `effects` is its outbox."""

    def __init__(
        self,
        application: Application,
        *,
        partition: int,
        owner: str,
        address: str,
        limits: Limits | None = None,
        at: Restored | None = None,
    ) -> None:
        at = at or Restored(fold=Fold(application))
        self.application = application
        self.partition = partition
        self.owner = owner
        self.address = address
        self.limits = limits or Limits()
        self.role = Role.FOLLOWING
        self.effects: deque[fx.Effect] = deque()
        self.fold = at.fold
        self.reader = self.make_reader(at.chain)
        self.position = at.position
        self.owner_address = at.owner_address
        self.owner_resigned = False
        self.resigning = False
        self.decider = self.make_decider()
        self._records_since_snapshot = 0
        self._last_record = at.last_record
        self._last_value = b""

    def make_reader(self, chain: ChainState) -> ChainReader:
        """Return the reader rule of this replica."""
        return ChainReader(chain)

    def make_decider(self) -> Decider:
        """Return the part that decides while this replica owns the partition."""
        return Decider(self.fold, self.limits, self.owner)

    # What the world tells.

    def read(self, position: int, value: bytes) -> None:
        """Take in the entry at `position` of the own journal. Positions must grow."""
        entry = self.reader.read(value)
        self.position, self._last_value = position + 1, value
        if self.role in (Role.RETIRED, Role.HALTED):
            # All that counts still is who owns the partition now, so that callers can be sent there.
            if isinstance(entry, wire.Claim):
                self.owner_address = entry.address
            return
        if isinstance(entry, wire.Batch):
            self._read_batch(entry, position)
        elif isinstance(entry, wire.Claim):
            self._read_claim(entry)
        elif isinstance(entry, Ignored):
            self._read_ignored(entry)
        elif isinstance(entry, Unreadable) and self.role is Role.OWNING:
            # Every reader counts it; the owner of the moment sets it aside, so that it is kept once.
            topic = f"huntgroup.{self.application.service}.journal.v1"
            self.effects.append(fx.Parked(topic, position, value, entry.error))

    def claim(self, now_ms: int) -> None:
        """Try to become the owner. Always safe; nothing is decided before the own claim was read back."""
        if self.role not in (Role.FOLLOWING, Role.CLAIMING):
            return
        self.role = Role.CLAIMING
        claim = wire.Claim(
            epoch=self.reader.state.epoch + 1, owner=self.owner, address=self.address, at_ms=now_ms
        )
        self._append("", wire.JournalEntry(claim=claim).SerializeToString(deterministic=True))

    def submit(self, submission: Submission) -> None:
        """Queue a command for decision. Raises `NotOwnerError`, `OverloadedError` or `PartitionHaltedError`."""
        self._check_serving()
        if refused := self._beyond_bounds(submission.share):
            # One that was carried out may use every bound. That is looked up only here: it costs more than all else.
            if self.remembers(submission.domain, submission.command_id):
                refused = self._beyond_bounds(1.0)
            if refused:
                raise refused
        self.decider.inputs.append(submission)

    def remembers(self, domain: str, command_id: str) -> bool:
        """Return whether the command was decided before, as far as this replica knows."""
        known = self.fold.domains.get(domain)
        return known is not None and known.memory.recall(command_id) is not None

    def query(self, domain: str, read: Callable[[Any], Any], ticket: Any) -> None:
        """Answer `read(state)`, or what it raises, as soon as everything the answer rests on is accepted.

        Raises as `submit` does.
        """
        self._check_serving()
        found = self.fold.domains.get(domain)
        state = found.state if found else self.application.core.initial(domain)
        result = _result(read, state)
        if self.decider.pending:
            self.decider.pending[-1].answers.append((ticket, result, ""))
        else:
            self.effects.append(fx.Answer(ticket, result))

    def take_in(self, source: SourceInput) -> None:
        """Queue what follows from one foreign entry. Only for the owner; others learn it from the owner's batches."""
        if self.role is not Role.OWNING or self.resigning:
            return
        self.effects.extend(source.parked)
        self.decider.inputs.append(source)

    def relayed_to(self, position: int) -> None:
        """Note that the public events of every batch below `position` were published."""
        self.fold.relay_moved(position)

    def append_failed(self, reason: str) -> None:
        """An append failed or its outcome is unknown: only a new claim makes it certain again."""
        if self.role in (Role.OWNING, Role.CLAIMING):
            self._retire(reason)

    def bug(self, error: BaseException, during: str) -> None:
        """A handler outside the core failed on valid input: stop the partition here."""
        if self.role not in (Role.RETIRED, Role.HALTED):
            self._halt(error, during)

    def resign(self) -> None:
        """Hand over: decide what waits, then append a last batch that lets a standby claim at once."""
        self.resigning = True

    # What it does.

    def advance(self, now_ms: int, *, heartbeat: bool = False) -> None:
        """Decide what waits and what time brings; `now_ms` is the clock's time, `heartbeat` asks for a sign of life."""
        if self.role is not Role.OWNING:
            return
        try:
            if self._snapshot_due() and not self._take_snapshot():
                return
            for pending, value in self.decider.decide(
                now_ms, heartbeat=heartbeat, resign=self.resigning
            ):
                self._append(pending.domain, value, pending.causes)
            self.effects.extend(self.decider.immediate)
            self.decider.immediate.clear()
        except Exception as error:  # noqa: BLE001  a bug anywhere in a core must stop the partition, loudly
            self._halt(error, self.decider.during)

    def next_wake_ms(self) -> int | None:
        """Return the clock's time at which `advance` has something to do by itself, or None.

        None also while it waits for its own batches: it is advanced when they have been read.
        """
        if self.role is not Role.OWNING or self.decider.resigned:
            return None
        in_flight = self.in_flight
        if in_flight >= self.limits.batches_in_flight_max or (in_flight and self._snapshot_due()):
            return None
        deadline = self.fold.next_deadline()
        return None if deadline is None else self.decider.time.clock_at(deadline)

    @property
    def relay_behind(self) -> str:
        """The bound that unpublished events have reached, by its name; empty: none, the relay keeps up."""
        return self._relay_bound(1.0)

    @property
    def in_flight(self) -> int:
        """How many batches are appended and not read back yet."""
        return len(self.decider.pending)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for decision or acceptance."""
        return not self.decider.inputs and not self.decider.pending

    # How.

    def _beyond_bounds(self, share: float) -> OverloadedError | None:
        """Return what is to be told when no more inputs may wait, or be published, of those who may use `share`."""
        most = self.limits.inputs_waiting_max * share
        if len(self.decider.inputs) >= most:
            return OverloadedError(
                f"{math.ceil(most)} commands wait (inputs_waiting_max{_told(share)})"
            )
        if behind := self._relay_bound(share):
            return OverloadedError(f"the public topic is behind ({behind}{_told(share)})", 1_000)
        return None

    def _relay_bound(self, share: float) -> str:
        if len(self.fold.unrelayed) > self.limits.unrelayed_batches_max * share:
            return "unrelayed_batches_max"
        if self.fold.unrelayed_bytes > self.limits.unrelayed_bytes_max * share:
            return "unrelayed_bytes_max"
        return ""

    def _append(self, domain: str, value: bytes, causes: tuple[str, ...] = ()) -> None:
        self.effects.append(fx.Append(domain.encode(), value, causes))

    def _check_serving(self) -> None:
        if self.role is Role.HALTED and self.owner_address in ("", self.address):
            raise PartitionHaltedError(
                f"partition {self.partition} of {self.application.service} is halted"
            )
        if self.role is not Role.OWNING or self.resigning:
            raise NotOwnerError("" if self.owner_address == self.address else self.owner_address)

    def _read_batch(self, batch: wire.Batch, position: int) -> None:
        record_hash = self.reader.state.chain
        self._records_since_snapshot += 1
        if self.role is Role.OWNING:
            self._read_own(batch, position, record_hash)
            return
        self.owner_resigned = batch.resigned
        try:
            self.fold.apply(batch, position, record_hash)
        except Exception as error:  # noqa: BLE001  what cannot be folded must not be skipped
            self._halt(error, f"folding the batch at position {position}")

    def _read_own(self, batch: wire.Batch, position: int, record_hash: bytes) -> None:
        if not self.decider.pending or self.decider.pending[0].record_hash != record_hash:
            self._retire(f"the batch at position {position} was not expected")
            return
        pending = self.decider.pending[0]
        try:
            self.fold.note(batch, position, record_hash)
            answers = list(self.decider.answers(pending, position))
        except Exception as error:  # noqa: BLE001  a bug here must be as loud as one in a core
            self._halt(error, f"taking in the own batch at position {position}")
            return
        self.decider.pending.popleft()
        if pending.events:
            self.effects.append(fx.Accepted(batch, pending.events, position, record_hash))
        self.effects.extend(answers)
        if batch.resigned:
            self._retire("resigned")

    def _read_claim(self, claim: wire.Claim) -> None:
        self.owner_address, self.owner_resigned = claim.address, False
        self.fold.at_ms = max(self.fold.at_ms, claim.at_ms)
        if self.role is Role.OWNING:
            self._retire(f"{claim.owner} claimed epoch {claim.epoch}")
        elif self.role is Role.CLAIMING:
            if claim.owner == self.owner:
                self.role = Role.OWNING
                self.decider.begin(self.reader.state)
                self.effects.append(fx.Owned())
            else:
                self.role = Role.FOLLOWING

    def _read_ignored(self, ignored: Ignored) -> None:
        if (
            self.role is not Role.OWNING
            or ignored.owner != self.owner
            or ignored.epoch != self.decider.epoch
        ):
            return
        if self.decider.pending and ignored.seq >= self.decider.pending[0].seq:
            self._retire(f"own batch {ignored.seq} was not accepted: {ignored.reason}")

    def _snapshot_due(self) -> bool:
        return self._records_since_snapshot >= self.limits.snapshot_every_records

    def _take_snapshot(self) -> bool:
        """Take it when nothing is in flight (then state is exactly what was accepted); False while draining."""
        if self.decider.pending:
            return False
        self._records_since_snapshot = 0
        self.effects.append(fx.SnapshotTaken(self.position, self.snapshot()))
        return True

    def snapshot(self) -> bytes:
        """Return a snapshot of everything accepted; only valid while nothing is in flight."""
        return dump_snapshot(
            self.fold,
            partition=self.partition,
            position=self.position,
            chain=self.reader.state,
            address=self.owner_address,
            last_record=record_digest(self._last_value) if self._last_value else self._last_record,
        )

    def _retire(self, reason: str) -> None:
        self.role = Role.RETIRED
        self._answer_rest(OutcomeUnknownError(reason))
        self.effects.append(fx.Retired(reason))

    def _answer_rest(self, unknown: OutcomeUnknownError) -> None:
        """Answer everybody who waits: `unknown` where the record is in the log, else that somebody else is asked."""
        for pending in self.decider.pending:
            self.effects.extend(fx.Answer(ticket, unknown) for ticket, _, _ in pending.answers)
        self.effects.extend(self.decider.immediate)
        elsewhere = NotOwnerError("" if self.owner_address == self.address else self.owner_address)
        deciding = self.decider.deciding
        self.effects.extend(
            fx.Answer(ticket, elsewhere)
            for ticket in self.decider.undecided()
            if ticket is not deciding
        )

    def _halt(self, error: BaseException, during: str) -> None:
        """Stop. What was being decided must not be tried elsewhere; all else may, and what is in the log will count."""
        self.role = Role.HALTED
        said = f"partition {self.partition} of {self.application.service} halted while {during}"
        if self.decider.deciding is not None:
            self.effects.append(fx.Answer(self.decider.deciding, CommandFailedError(said)))
        self._answer_rest(OutcomeUnknownError(said))
        self.effects.append(fx.Halted(error, during))
