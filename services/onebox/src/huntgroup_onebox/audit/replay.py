"""Invariant 7: the same entries, folded again by the service's own core, give the same bytes.

Each journal partition is folded straight through, and from its middle on a second time, beginning with a snapshot of
the first fold that is taken there and loaded again. Stored snapshots made by the same code must equal the fold at their
position. What the relay had published when a snapshot was stored may be ahead of what the journal says by then; there
the snapshot's own word is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.chain import ChainState
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.snapshot import (
    SnapshotRejectedError,
    digest_matches,
    dump_snapshot,
    load_snapshot,
)
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

INVARIANT: Final = 7
FOLDED_TWICE: Final = 1_000
"""Who follows a log folds so many positions twice after each snapshot."""

DIGEST_BYTES: Final = 32
"""A dumped snapshot begins with a digest of the rest."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored snapshot that can be compared."""

    position: int
    dumped: bytes


class Replay:
    """Folds one partition of one service twice."""

    def __init__(
        self,
        findings: Findings,
        application: Application,
        partition: int,
        *,
        topic: str,
        middle: int,
        stored: Sequence[Stored] = (),
        every: int = 0,
    ) -> None:
        """`middle` is the position at which the second fold begins, from a snapshot.

        With `every` there is a second fold only for a while after so many positions, again and again: for who follows.
        """
        self._findings = findings
        self._application = application
        self._partition = partition
        self._topic = topic
        self._middle: int | None = middle
        self._stored = sorted(stored, key=lambda one: one.position)
        self._straight = Fold(application)
        self._through_snapshot: Fold | None = None
        self._chain = ChainState()
        self._address = ""
        self._every = every
        self._compare_at: int | None = None
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether an entry could not be folded."""
        return self._broken

    @property
    def states(self) -> dict[str, Any]:
        """The state of each domain as it is now; none after a failure."""
        if self._broken:
            return {}
        return {name: domain.state for name, domain in self._straight.domains.items()}

    def differs_from(self, other: Fold, end: int) -> str:
        """Return what of another fold of the same entries, all below `end`, differs first; empty when nothing does.

        What the relay had published may be ahead in the other one.
        """
        expected = _snapshot(self._dump(self._straight, end))
        found = _snapshot(self._dump(other, end))
        _take_relay(expected, found)
        return "" if expected == found else _first_difference(expected, found)

    def take(self, entry: Entry) -> None:
        """Fold an entry."""
        if self._broken:
            return
        position = entry.place.position
        self._compare_stored(position)
        if self._middle is not None and position >= self._middle:
            self._go_through_snapshot(entry.place)
        elif self._compare_at is not None and position >= self._compare_at:
            self._compare_folds(position)
            self._middle, self._compare_at = position + self._every, None
        if isinstance(entry.kind, wire.Claim):
            claim = entry.kind
            self._chain = ChainState(claim.epoch, claim.owner, entry.chain)
            self._address = claim.address
            for fold in self._folds():
                fold.at_ms = max(fold.at_ms, claim.at_ms)
            return
        self._chain.chain = entry.chain
        self._fold(entry, entry.kind)

    def finish(self, end: int) -> None:
        """Compare the two; `end` is the position after the last entry that was read, accepted or not."""
        if self._broken:
            return
        self._compare_stored(end)
        if self._stored:
            self._findings.count(INVARIANT, "snapshots beyond the end", len(self._stored))
        if self._middle is not None:
            self._go_through_snapshot(
                Place(topic=self._topic, partition=self._partition, position=end)
            )
        self._compare_folds(end)

    def _folds(self) -> tuple[Fold, ...]:
        """Return the folds that are under way: the second one only while it is compared with the first."""
        if self._through_snapshot is None:
            return (self._straight,)
        return (self._straight, self._through_snapshot)

    def _compare_folds(self, end: int) -> None:
        if self._through_snapshot is None:
            return
        straight = self._dump(self._straight, end)
        through = self._dump(self._through_snapshot, end)
        self._findings.count(INVARIANT, "partitions folded twice")
        self._findings.count(INVARIANT, "domain states", len(self._straight.domains))
        if straight != through:
            place = Place(topic=self._topic, partition=self._partition, position=max(0, end - 1))
            differ = _difference(straight, through)
            why = f"folded again through a snapshot, {differ} differs at the end"
            self._findings.violation(INVARIANT, place, "", why)
        if self._every:
            self._through_snapshot = None

    def _fold(self, entry: Entry, batch: wire.Batch) -> None:
        for fold in self._folds():
            try:
                fold.apply(batch, entry.place.position, entry.chain)
            except Exception as error:  # noqa: BLE001 - whatever a core or codec raises stops a service as well
                self._broken = True
                why = f"cannot be folded: {type(error).__name__}: {error}"
                self._findings.violation(INVARIANT, entry.place, batch.domain, why)
                return

    def _go_through_snapshot(self, place: Place) -> None:
        """Begin the second fold with what the first has come to, all below `place`."""
        self._middle = None
        self._compare_at = place.position + FOLDED_TWICE if self._every else None
        dumped = self._dump(self._straight, place.position)
        try:
            self._through_snapshot = load_snapshot(self._application, self._partition, dumped).fold
        except SnapshotRejectedError as error:
            self._broken = True
            why = f"a snapshot taken here cannot be loaded: {error}"
            self._findings.violation(INVARIANT, place, "", why)

    def _compare_stored(self, position: int) -> None:
        """Compare the stored snapshots whose position is reached: they hold everything below it."""
        while self._stored and self._stored[0].position <= position:
            stored = self._stored.pop(0)
            self._findings.count(INVARIANT, "stored snapshots")
            folded = self._dump(self._straight, stored.position)
            expected, found = _snapshot(folded), _snapshot(stored.dumped)
            _take_relay(expected, found)
            expected.last_record = found.last_record  # the log's, which is no fold
            if expected != found:
                place = Place(
                    topic=self._topic, partition=self._partition, position=stored.position
                )
                differ = _first_difference(expected, found)
                why = f"the snapshot stored at this position is not the fold of what is below: {differ} differs"
                self._findings.violation(INVARIANT, place, "", why)

    def _dump(self, fold: Fold, position: int) -> bytes:
        return dump_snapshot(
            fold,
            partition=self._partition,
            position=position,
            chain=self._chain,
            address=self._address,
        )


def comparable(
    findings: Findings, application: Application, partition: int, dumped: Mapping[str, bytes]
) -> list[Stored]:
    """Return the stored snapshots of this code; those of other code are counted, damaged ones are violations."""
    found = []
    for file, one in dumped.items():
        try:
            load_snapshot(application, partition, one)
        except (DecodeError, SnapshotRejectedError) as error:
            if is_of_other_code(application, one):
                findings.count(INVARIANT, "snapshots of other code")
            else:
                findings.violation(INVARIANT, None, "", f"{file} cannot be used: {error}")
            continue
        found.append(Stored(_snapshot(one).position, one))
    return found


def is_of_other_code(application: Application, dumped: bytes) -> bool:
    """Return whether a snapshot is whole, and was made by other code."""
    try:
        whole = digest_matches(dumped)
        return whole and _snapshot(dumped).code_version != application.code_version
    except DecodeError:
        return False


def _snapshot(dumped: bytes) -> wire.Snapshot:
    """Return a snapshot; its digest, which comes first, is not looked at."""
    return wire.Snapshot.FromString(dumped[DIGEST_BYTES:])


def _take_relay(expected: wire.Snapshot, found: wire.Snapshot) -> None:
    """Let the fold's snapshot say of the relay what the stored one says, as far as that can be."""
    if found.relayed <= expected.relayed:
        return
    expected.relayed = found.relayed
    unrelayed = [item for item in expected.unrelayed if item.position >= found.relayed]
    del expected.unrelayed[:]
    expected.unrelayed.extend(unrelayed)


def _difference(one: bytes, other: bytes) -> str:
    return _first_difference(_snapshot(one), _snapshot(other))


def _first_difference(one: wire.Snapshot, other: wire.Snapshot) -> str:
    """Return what differs first, in words."""
    names = [domain.domain for domain in one.domains]
    others = {domain.domain: domain for domain in other.domains}
    if names != [domain.domain for domain in other.domains]:
        return "the set of domains"
    for domain in one.domains:
        twin = others[domain.domain]
        for part, field in (
            ("state", "state"),
            ("command memory", "command_memory"),
            ("sequence", "sequence"),
        ):
            if getattr(domain, field) != getattr(twin, field):
                return f"the {part} of {domain.domain}"
    for field in ("epoch", "owner", "address", "chain", "at_ms", "relayed", "sources", "unrelayed"):
        if getattr(one, field) != getattr(other, field):
            return f"its {field.replace('_', ' ')}"
    return "something"
