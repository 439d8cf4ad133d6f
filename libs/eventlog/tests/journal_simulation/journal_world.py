"""A seeded world for the journal alone: three workers, clients that retry, and a log that loses, delays and doubles.

One seed decides everything. The checks are made on the log as its readers see it, apart from the code that wrote it.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.adapters.memory import Faults, MemoryPartitions
from huntgroup_eventlog.application import (
    Application,
    CommandOutcome,
    NotOwnerError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.replica import Limits, Replica, Role
from huntgroup_eventlog.journal.snapshot import Restored, load_snapshot
from huntgroup_eventlog.port import NewRecord
from huntgroup_testkit.counter import Add, Remind, counter_application

TOPIC = "huntgroup.counter.journal.v1"
DOMAINS = ("acme/emea", "acme/apac")
LIMITS = Limits(batches_in_flight_max=4, snapshot_every_records=15, inputs_waiting_max=50)


class ViolationError(AssertionError):
    """A rule of the journal was broken; the message says which, and where."""


@dataclass(slots=True)
class Client:
    """Knows each command it sent, and what it was told of it."""

    commands: dict[str, tuple[str, Any]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    told: dict[str, CommandOutcome] = field(default_factory=dict)


class World:
    """Three workers on one partition of one log."""

    def __init__(self, seed: int, replica: type[Replica] = Replica) -> None:
        self.random = random.Random(seed)
        rates = {
            name: self.random.choice((0, 30, 120)) for name in ("lost", "late", "duplicated", "gap")
        }
        broken = {name: self.random.choice((0, 0, 30)) for name in ("lost_acked", "late_acked")}
        self.log = MemoryPartitions(1, Faults(seed=seed, slow_read=200, **rates, **broken))
        self.log.ensure_topics([TOPIC])
        self.application: Application = counter_application()
        self.replica_class = replica
        self.now_ms = 1_000_000
        self.runs = 0
        self.snapshots: list[bytes] = []
        self.client = Client()
        self.counts: Counter[str] = Counter()
        self.workers = [self._new_worker() for _ in range(3)]

    def run(self, steps: int) -> None:
        """Play `steps` random steps, then heal, then check everything."""
        for _ in range(steps):
            self._step()
        self._heal()
        self.check()

    # What may happen in a step.

    def _step(self) -> None:
        worker = self.random.randrange(3)
        roll = self.random.randrange(100)
        self.now_ms += self.random.choice((0, 1, 20, 300))
        if roll < 30:
            self._submit(worker)
        elif roll < 55:
            self._read(worker, self.random.randint(1, 6))
        elif roll < 85:
            self._work(worker, self.random.randint(1, 4))
        elif roll < 90:
            self.workers[worker].claim(self.now_ms)
        elif roll < 93:
            self._crash(worker)
        elif roll < 95:
            self.workers[worker].resign()
        elif roll < 97:
            self.log.deliver_late(TOPIC, 0)
        else:
            self._read(worker, 100)
            self._work(worker, 100)

    def _submit(self, worker: int) -> None:
        client = self.client
        if client.unknown and self.random.random() < 0.4:
            command_id = self.random.choice(client.unknown)
        else:
            command_id = f"c{len(client.commands)}"
            name = self.random.choice("xy")
            command = (
                Remind(name=name, delay_ms=self.random.randrange(500))
                if self.random.random() < 0.1
                else Add(name=name, amount=self.random.randint(-1, 5))
            )
            client.commands[command_id] = (self.random.choice(DOMAINS), command)
            client.unknown.append(command_id)
        domain, command = client.commands[command_id]
        try:
            self.workers[worker].submit(Submission(domain, command_id, command, 1, "", command_id))
        except (NotOwnerError, OverloadedError):
            self.counts["not taken"] += 1
        except PartitionHaltedError as error:
            raise ViolationError(f"halted: {error}") from error

    def _read(self, worker: int, limit: int) -> None:
        replica = self.workers[worker]
        for record in self.log.read_now(TOPIC, 0, replica.position, limit):
            replica.read(record.position, record.value)

    def _work(self, worker: int, limit: int) -> None:
        """Advance, and carry out some of the effects; the rest waits, as in a process that is paused."""
        replica = self.workers[worker]
        if replica.role is Role.OWNING and self.random.random() < 0.8:
            replica.advance(self.now_ms, heartbeat=self.random.random() < 0.1)
        for _ in range(limit):
            if not replica.effects:
                break
            self._carry_out(replica, replica.effects.popleft())
        if replica.role is Role.RETIRED and not replica.effects:
            self.counts["retired"] += 1
            self.workers[worker] = self._new_worker()

    def _carry_out(self, replica: Replica, effect: fx.Effect) -> None:
        match effect:
            case fx.Append(key=key, value=value):
                if self.log.append_now(TOPIC, 0, NewRecord(key=key, value=value)) is None:
                    self.counts["unknown appends"] += 1
                    if self.random.random() < 0.5:
                        replica.append_failed("unknown outcome")
            case fx.Answer(ticket=ticket, result=result):
                self._told(ticket, result)
            case fx.SnapshotTaken(dumped=dumped):
                self.snapshots.append(dumped)
            case fx.Halted(error=error, during=during):
                raise ViolationError(f"halted while {during}: {error}") from error
            case _:
                pass

    def _told(self, command_id: str, result: Any) -> None:
        if not isinstance(result, CommandOutcome):
            return
        before = self.client.told.get(command_id)
        if before is not None and (before.reason, before.position) != (
            result.reason,
            result.position,
        ):
            raise ViolationError(f"{command_id} was told {before}, then {result}")
        self.client.told[command_id] = result
        if command_id in self.client.unknown:
            self.client.unknown.remove(command_id)
        self.counts["told"] += 1

    def _crash(self, worker: int) -> None:
        self.counts["crashed"] += 1
        self.workers[worker] = self._new_worker()

    def _new_worker(self) -> Replica:
        at = None
        if self.snapshots and self.random.random() < 0.7:
            at = load_snapshot(self.application, 0, self.snapshots[-1])
        return self._worker_from(at)

    def _worker_from(self, at: Restored | None) -> Replica:
        self.runs += 1
        return self.replica_class(
            self.application,
            partition=0,
            owner=f"w{self.runs}",
            address=f"w{self.runs}:1",
            limits=LIMITS,
            at=at,
        )

    # The end.

    def _heal(self) -> None:
        """No more faults: one worker takes over, every open command is repeated until it is told."""
        self.log.deliver_late(TOPIC, 0)
        self.log.faults = Faults(seed=0)
        survivor = self._new_worker()
        self.workers = [survivor]
        self._settle(survivor)
        survivor.claim(self.now_ms)
        self._settle(survivor)
        for command_id in list(self.client.unknown):
            domain, command = self.client.commands[command_id]
            survivor.submit(Submission(domain, command_id, command, 1, "", command_id))
            self._settle(survivor)
        if self.client.unknown:
            raise ViolationError(f"never told: {self.client.unknown}")

    def _settle(self, replica: Replica) -> None:
        for _ in range(1_000):
            before = replica.position
            self._read(0, 1_000)
            replica.advance(self.now_ms)
            busy = bool(replica.effects)
            while replica.effects:
                self._carry_out(replica, replica.effects.popleft())
            if not busy and replica.position == before:
                return
        raise ViolationError("the survivor does not come to rest")

    # What must hold of the log.

    def check(self) -> None:
        """Read the whole log as any reader would, and check it against what clients were told."""
        entries = self._accepted_entries()
        _check_single_writer([entry for _, entry in entries])
        carried_out: dict[str, tuple[int, wire.Outcome]] = {}
        sequences: Counter[str] = Counter()
        for position, entry in entries:
            if not isinstance(entry, wire.Batch):
                continue
            for event in entry.events:
                sequences[entry.domain] += 1
                if event.sequence != sequences[entry.domain]:
                    raise ViolationError(
                        f"sequence {event.sequence} at {position} is not {sequences[entry.domain]}"
                    )
            for outcome in entry.outcomes:
                if outcome.command_id in carried_out:
                    raise ViolationError(f"{outcome.command_id} was carried out twice")
                carried_out[outcome.command_id] = (position, outcome)
        for command_id, told in self.client.told.items():
            if told.position < 0:
                continue
            if command_id not in carried_out:
                raise ViolationError(f"{command_id} was acknowledged and is not in the history")
            position, outcome = carried_out[command_id]
            if (told.position, told.reason) != (position, outcome.reason):
                raise ViolationError(
                    f"{command_id} was told {told}, the history says {position} {outcome.reason!r}"
                )
        self._check_replay()

    def _accepted_entries(self) -> list[tuple[int, wire.Batch | wire.Claim]]:
        reader: ChainReader = self.workers[0].make_reader(type(self.workers[0].reader)().state)
        found: list[tuple[int, wire.Batch | wire.Claim]] = []
        for record in self.log.read_now(TOPIC, 0, 0, 1_000_000):
            entry = reader.read(record.value)
            if isinstance(entry, wire.Batch | wire.Claim):
                found.append((record.position, entry))
        self.counts["accepted"] += reader.accepted
        self.counts["ignored"] += reader.ignored
        return found

    def _check_replay(self) -> None:
        """A full replay, and one from every kept snapshot, must be what the survivor holds."""
        expected = self.workers[0].snapshot()
        for dumped in [b"", *self.snapshots[-2:]]:
            at = load_snapshot(self.application, 0, dumped) if dumped else None
            replica = self._worker_from(at)
            for record in self.log.read_now(TOPIC, 0, replica.position, 1_000_000):
                replica.read(record.position, record.value)
            if replica.role is Role.HALTED:
                raise ViolationError("a replay halts")
            if replica.snapshot() != expected:
                raise ViolationError("a replay differs from the live state")


def _check_single_writer(entries: Sequence[wire.Batch | wire.Claim]) -> None:
    epoch, owner = 0, ""
    for entry in entries:
        if isinstance(entry, wire.Claim):
            if entry.epoch <= epoch:
                raise ViolationError(f"the claim of epoch {entry.epoch} counts after epoch {epoch}")
            epoch, owner = entry.epoch, entry.owner
        elif (entry.epoch, entry.owner) != (epoch, owner):
            raise ViolationError(f"a batch of {entry.owner} counts in the epoch of {owner}")
