"""The reader rule: which entries of a journal partition count. The one place that decides it, for every reader.

A claim is valid iff its epoch is higher than the current one. A batch is valid iff its (epoch, owner) is the current
claim and its `prev_hash` is the chain value after the last accepted entry. All else is ignored and counted. So lost,
late and duplicated appends, and writers that do not know they were replaced, vanish for all readers alike.
"""

from dataclasses import dataclass
from hashlib import blake2b

from google.protobuf.message import DecodeError

from huntgroup.journal.v1 import journal_pb2 as wire

CHAIN_BYTES = 16
GENESIS = bytes(CHAIN_BYTES)


def chain_after(chain: bytes, value: bytes) -> bytes:
    """Return the chain value after an entry: a hash over everything accepted so far."""
    return blake2b(chain + value, digest_size=CHAIN_BYTES).digest()


@dataclass(slots=True)
class ChainState:
    """Where a reader stands: the current claim, and the chain value after the last accepted entry."""

    epoch: int = 0
    owner: str = ""
    chain: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Ignored:
    """An entry that does not count, and why."""

    reason: str
    epoch: int
    owner: str
    seq: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that is no journal entry at all."""

    error: str


class ChainReader:
    """Applies the reader rule to the entries of one partition, in the order of their positions."""

    def __init__(self, state: ChainState | None = None) -> None:
        self.state = state or ChainState()
        self.accepted = 0
        self.ignored = 0
        self.unreadable = 0

    def read(self, value: bytes) -> wire.Claim | wire.Batch | Ignored | Unreadable:
        """Return the accepted claim or batch, after moving the chain; or why the entry does not count."""
        entry = wire.JournalEntry()
        try:
            entry.ParseFromString(value)
        except DecodeError as error:
            self.unreadable += 1
            return Unreadable(str(error))
        kind = entry.WhichOneof("kind")
        if kind == "batch":
            return self._read_batch(entry.batch, value)
        if kind == "claim":
            return self._read_claim(entry.claim, value)
        self.unreadable += 1
        return Unreadable("neither a claim nor a batch")

    def _read_claim(self, claim: wire.Claim, value: bytes) -> wire.Claim | Ignored:
        if not self.claim_counts(claim):
            self.ignored += 1
            return Ignored("epoch is not higher", claim.epoch, claim.owner, 0)
        self.state.epoch, self.state.owner = claim.epoch, claim.owner
        self._move(value)
        return claim

    def _read_batch(self, batch: wire.Batch, value: bytes) -> wire.Batch | Ignored:
        if not self.owner_counts(batch):
            self.ignored += 1
            return Ignored("not the current claim", batch.epoch, batch.owner, batch.seq)
        if not self.chain_counts(batch):
            self.ignored += 1
            return Ignored(
                "does not follow the last accepted entry", batch.epoch, batch.owner, batch.seq
            )
        self._move(value)
        return batch

    def _move(self, value: bytes) -> None:
        self.state.chain = chain_after(self.state.chain, value)
        self.accepted += 1

    def claim_counts(self, claim: wire.Claim) -> bool:
        """Return whether the claim is valid."""
        return claim.epoch > self.state.epoch

    def owner_counts(self, batch: wire.Batch) -> bool:
        """Return whether the batch is of the current claim."""
        return batch.epoch == self.state.epoch and batch.owner == self.state.owner

    def chain_counts(self, batch: wire.Batch) -> bool:
        """Return whether the batch follows the last accepted entry."""
        return batch.prev_hash == self.state.chain
