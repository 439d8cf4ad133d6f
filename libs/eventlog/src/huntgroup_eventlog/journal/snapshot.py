"""Snapshots of a fold: an optimisation, rejected when corrupt or made by other code, checked against full replay."""

from dataclasses import dataclass, field
from hashlib import blake2b

from google.protobuf.message import DecodeError

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.chain import ChainState
from huntgroup_eventlog.journal.command_memory import CommandMemory
from huntgroup_eventlog.journal.fold import Domain, Fold, RelayItem, SourceCursor

_DIGEST_BYTES = 32
_RECORD_DIGEST_BYTES = 16


class SnapshotRejectedError(ValueError):
    """The snapshot cannot be used: corrupt, of other code, or of another partition. The message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """Where a replica begins."""

    fold: Fold
    chain: ChainState = field(default_factory=ChainState)
    position: int = 0
    """The next one to read."""
    owner_address: str = ""
    last_record: bytes = b""
    """`record_digest` of the one before; empty at the beginning of the log."""


def record_digest(value: bytes) -> bytes:
    """Return what identifies a record, and with it the log and all that is before: it names its writer and chain."""
    return blake2b(value, digest_size=_RECORD_DIGEST_BYTES).digest()


def dump_snapshot(
    fold: Fold,
    *,
    partition: int,
    position: int,
    chain: ChainState,
    address: str,
    last_record: bytes = b"",
) -> bytes:
    """Return the snapshot of `fold`, which holds every accepted entry below `position`; a digest comes first."""
    snapshot = wire.Snapshot(
        service=fold.application.service,
        partition=partition,
        code_version=fold.application.code_version,
        position=position,
        epoch=chain.epoch,
        owner=chain.owner,
        address=address,
        chain=chain.chain,
        at_ms=fold.at_ms,
        relayed=fold.relayed,
        sources=[source_position(topic, cursor) for topic, cursor in sorted(fold.sources.items())],
        last_record=last_record,
    )
    for name, domain in sorted(fold.domains.items()):
        snapshot.domains.add(
            domain=name,
            sequence=domain.sequence,
            state=fold.application.core.dump(domain.state),
            command_memory=domain.memory.dump(),
        )
    for item in fold.unrelayed:
        snapshot.unrelayed.add(
            position=item.position,
            record_hash=item.record_hash,
            domain=item.domain,
            at_ms=item.at_ms,
            events=item.events,
        )
    body = snapshot.SerializeToString(deterministic=True)
    return blake2b(body, digest_size=_DIGEST_BYTES).digest() + body


def load_snapshot(application: Application, partition: int, dumped: bytes) -> Restored:
    """Return where a replica may go on; raises `SnapshotRejectedError`. Only the log knows if it is its own."""
    if not digest_matches(dumped):
        raise SnapshotRejectedError("digest does not match: the snapshot is corrupt")
    snapshot = wire.Snapshot()
    try:
        snapshot.ParseFromString(dumped[_DIGEST_BYTES:])
    except DecodeError as error:
        raise SnapshotRejectedError(f"cannot be decoded: {error}") from error
    _check_origin(application, partition, snapshot)
    fold = Fold(application)
    fold.at_ms, fold.relayed = snapshot.at_ms, snapshot.relayed
    try:
        for one in snapshot.domains:
            state = application.core.load(one.domain, one.state)
            memory = CommandMemory.load(one.command_memory)
            fold.domains[one.domain] = Domain(state, one.sequence, memory)
            fold.refresh_deadline(one.domain)
    except ValueError as error:
        raise SnapshotRejectedError(f"a domain cannot be loaded: {error}") from error
    for source in snapshot.sources:
        fold.sources[source.topic] = SourceCursor.of(source)
    for item in snapshot.unrelayed:
        fold.keep_for_relay(
            RelayItem(item.position, item.record_hash, item.domain, item.at_ms, list(item.events))
        )
    return Restored(
        fold=fold,
        chain=ChainState(snapshot.epoch, snapshot.owner, snapshot.chain),
        position=snapshot.position,
        owner_address=snapshot.address,
        last_record=snapshot.last_record,
    )


def digest_matches(dumped: bytes) -> bool:
    """Return whether a snapshot is as it was written."""
    digest, body = dumped[:_DIGEST_BYTES], dumped[_DIGEST_BYTES:]
    return blake2b(body, digest_size=_DIGEST_BYTES).digest() == digest


def _check_origin(application: Application, partition: int, snapshot: wire.Snapshot) -> None:
    expected = (application.service, partition, application.code_version)
    found = (snapshot.service, snapshot.partition, snapshot.code_version)
    for name, want, have in zip(
        ("service", "partition", "code version"), expected, found, strict=True
    ):
        if want != have:
            raise SnapshotRejectedError(f"{name} is {have!r}, this is {want!r}")


def source_position(topic: str, cursor: SourceCursor) -> wire.SourcePosition:
    """Return the wire form of a cursor."""
    return wire.SourcePosition(
        topic=topic,
        position=cursor.position,
        epoch=cursor.epoch,
        owner=cursor.owner,
        chain=cursor.chain,
        events_taken=cursor.events_taken,
    )
