"""The journal under faults: no violation in thousands of seeds, and every rule that is switched off is caught."""

from collections import Counter

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.chain import ChainReader, ChainState
from huntgroup_eventlog.journal.command_memory import Remembered
from huntgroup_eventlog.journal.decider import Decider, Submission, _Draft, outcome_of
from huntgroup_eventlog.journal.replica import Replica

from .journal_world import ViolationError, World

pytestmark = pytest.mark.sim

SEEDS = 2_400
SLICES = 8
STEPS = 300
SABOTAGE_SEEDS = 2_000


@pytest.mark.parametrize("part", range(SLICES))
def test_no_rule_is_broken_under_any_fault(part: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(part, SEEDS, SLICES):
        world = World(seed)
        try:
            world.run(STEPS)
        except ViolationError as error:
            pytest.fail(f"seed {seed}: {error}")
        counts += world.counts + world.log.injected
    for needed in (
        "told",
        "crashed",
        "retired",
        "ignored",
        "lost",
        "late",
        "duplicated",
        "lost_acked",
    ):
        assert counts[needed] > 0, f"no seed of this part ever saw: {needed}"


class WithoutChain(Replica):
    """Readers that do not look at the chain."""

    def make_reader(self, chain: ChainState) -> ChainReader:
        class Reader(ChainReader):
            def chain_counts(self, batch: wire.Batch) -> bool:
                del batch
                return True

        return Reader(chain)


class WithoutEpoch(Replica):
    """Readers that take every claim and every owner, as long as the chain fits."""

    def make_reader(self, chain: ChainState) -> ChainReader:
        class Reader(ChainReader):
            def claim_counts(self, claim: wire.Claim) -> bool:
                del claim
                return True

            def owner_counts(self, batch: wire.Batch) -> bool:
                del batch
                return True

        return Reader(chain)


class AcknowledgesEarly(Replica):
    """Tells the caller when the batch was handed to the log, before it was read back."""

    def _append(self, domain: str, value: bytes, causes: tuple[str, ...] = ()) -> None:
        super()._append(domain, value, causes)
        if not self.decider.pending:
            return
        pending = self.decider.pending[-1]
        for ticket, result, command_id in pending.answers:
            if isinstance(result, Remembered):
                outcome = outcome_of(command_id, result, self.position, repeated=False)
                self.effects.append(fx.Answer(ticket, outcome))


class _Forgetful(Decider):
    def _decide_submission(self, draft: _Draft, one: Submission) -> None:
        known = self.fold.domains.get(one.domain)
        if known is not None:
            known.memory = type(known.memory)()
        super()._decide_submission(draft, one)


class WithoutDeduplication(Replica):
    """Decides every command as if it were new."""

    def make_decider(self) -> Decider:
        return _Forgetful(self.fold, self.limits, self.owner)


def first_seed_that_catches(sabotaged: type[Replica], words: str) -> int | None:
    """Return the first seed whose violation says `words`: caught for the right reason, not for a side effect."""
    for seed in range(SABOTAGE_SEEDS):
        try:
            World(seed, sabotaged).run(STEPS)
        except ViolationError as error:
            if words in str(error):
                return seed
    return None


@pytest.mark.parametrize(
    ("sabotaged", "words"),
    [
        (WithoutChain, "is not"),
        (WithoutEpoch, "counts"),
        (AcknowledgesEarly, "was acknowledged and is not in the history"),
        (WithoutDeduplication, "was carried out twice"),
    ],
)
def test_a_rule_that_is_switched_off_is_caught(sabotaged: type[Replica], words: str) -> None:
    assert first_seed_that_catches(sabotaged, words) is not None, (
        f"{sabotaged.__name__} was never caught"
    )


def test_the_same_seed_gives_the_same_log() -> None:
    def play() -> list[bytes]:
        world = World(7)
        world.run(STEPS)
        return [
            record.value
            for record in world.log.read_now("huntgroup.counter.journal.v1", 0, 0, 1_000_000)
        ]

    first = play()
    assert len(first) > 10
    assert first == play()
