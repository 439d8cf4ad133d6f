"""However the journals of the others are interleaved, and however late, the ledger says the same: what a second,
plain calculation over the whole day says.
"""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from huntgroup_reporting.core.messages import Command
from huntgroup_reporting.core.projections import live_domain
from huntgroup_reporting.core.state import AgentTimes, QueueCounts
from huntgroup_reporting.core.values import OfferOutcome, Presence, QueueId, SlotPhase

if TYPE_CHECKING:
    from services.reporting.tests.conftest import Day, Facts

QUARTER_MS = 900_000
QUEUES = (QueueId("sales"), QueueId("support"))
FREE, RINGING = SlotPhase.FREE, SlotPhase.RINGING
TALKING, WRAPPING_UP = SlotPhase.TALKING, SlotPhase.WRAPPING_UP

Row = dict[str, int]
Told = tuple[int, int, Command]
"""When, which of those at the same time, and what."""


@dataclass
class Script:
    """What the three services told, and what the ledger must say, computed without the ledger."""

    say: "type[Facts]"
    rng: random.Random
    session: list[Told] = field(default_factory=list)
    routing: list[Told] = field(default_factory=list)
    agent_state: list[Told] = field(default_factory=list)
    queue_rows: dict[tuple[int, QueueId], Row] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    agent_rows: dict[int, Row] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    targets: dict[QueueId, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def told(self, topic: list[Told], at_ms: int, command: Command) -> None:
        topic.append((at_ms, len(topic), command))

    def row(self, at_ms: int, queue_id: QueueId) -> Row:
        return self.queue_rows[at_ms // QUARTER_MS * QUARTER_MS, queue_id]

    def spend(self, doing: str, begin_ms: int, end_ms: int) -> None:
        """Count the agents' time the plain way, second by second."""
        for at_ms in range(begin_ms, end_ms, 1_000):
            self.agent_rows[at_ms // QUARTER_MS * QUARTER_MS][f"{doing}_ms"] += 1_000

    def configure(self) -> None:
        """Let routing change what the queues aim at, now and then, between the seconds at which contacts come."""
        for queue_id in QUEUES:
            times_ms = [0, *(self.rng.randrange(0, 6_000) * 1_000 + 500 for _ in range(5))]
            for at_ms in sorted(times_ms):
                target_ms = self.rng.choice([5_000, 10_000, 20_000])
                self.targets[queue_id].append((at_ms, target_ms))
                self.told(self.routing, at_ms, self.say.configured(target_ms, queue_id))

    def target_ms(self, queue_id: QueueId, at_ms: int) -> int:
        """Return what a queue aimed at."""
        return [target_ms for since_ms, target_ms in self.targets[queue_id] if since_ms <= at_ms][
            -1
        ]

    def wait(self, contact_id: str, at_ms: int) -> tuple[QueueId, int]:
        """Let a contact begin to wait; return its queue and what that aims at."""
        queue_id = self.rng.choice(QUEUES)
        self.told(self.session, at_ms, self.say.queued(contact_id, at_ms, queue_id))
        self.told(self.routing, at_ms, self.say.enqueued(contact_id, queue_id))
        self.row(at_ms, queue_id)["offered"] += 1
        return queue_id, self.target_ms(queue_id, at_ms)

    def give_up(self, contact_id: str, at_ms: int) -> None:
        """A contact that nobody answers."""
        queue_id, target_ms = self.wait(contact_id, at_ms)
        wait_ms = self.rng.randrange(1, 90) * 1_000
        fact = self.say.abandoned(contact_id, at_ms + wait_ms, wait_ms, queue_id)
        self.told(self.session, at_ms + wait_ms, fact)
        row = self.row(at_ms, queue_id)
        row["abandoned"] += 1
        row["abandoned_within_threshold"] += wait_ms <= target_ms
        row["abandoned_wait_ms"] += wait_ms
        row["wait_ms_max"] = max(row["wait_ms_max"], wait_ms)

    def ring(self, agent_id: str, offer_id: str, at_ms: int, outcome: OfferOutcome) -> int:
        """Let an offer ring out or be taken; return when that is."""
        end_ms = at_ms + self.rng.randrange(1, 20) * 1_000
        self.told(self.agent_state, at_ms, self.say.slot(agent_id, at_ms, offer_id, RINGING))
        self.told(self.routing, end_ms, self.say.offer_ended(offer_id, outcome, end_ms))
        self.spend("ringing", at_ms, end_ms)
        self.row(end_ms, QUEUES[0])[f"offers_{outcome.value}"] += 1
        return end_ms

    def serve(self, agent_id: str, contact_id: str, at_ms: int) -> int:
        """Let an agent take a contact, maybe after declining it once; return when they are free again."""
        queue_id, target_ms = self.wait(contact_id, at_ms)
        now_ms = at_ms
        if self.rng.random() < 0.3:
            now_ms = self.ring(agent_id, f"{contact_id}.0", now_ms, OfferOutcome.REJECTED)
            freed = self.say.slot(agent_id, now_ms, f"{contact_id}.0", FREE)
            self.told(self.agent_state, now_ms, freed)
        offer_id = f"{contact_id}.1"
        connected_ms = self.ring(agent_id, offer_id, now_ms, OfferOutcome.ACCEPTED)
        wait_ms = connected_ms - at_ms
        fact = self.say.answered(contact_id, connected_ms, wait_ms, queue_id)
        self.told(self.session, connected_ms, fact)
        row = self.row(at_ms, queue_id)
        row["answered"] += 1
        row["answered_within_threshold"] += wait_ms <= target_ms
        row["answered_wait_ms"] += wait_ms
        row["wait_ms_max"] = max(row["wait_ms_max"], wait_ms)
        return self.talk(agent_id, contact_id, connected_ms)

    def talk(self, agent_id: str, contact_id: str, at_ms: int) -> int:
        """Let them talk, and the agent write it up."""
        offer_id = f"{contact_id}.1"
        talk_ms, hold_ms, wrap_up_ms = (self.rng.randrange(0, 400) * 1_000 for _ in range(3))
        over_ms = at_ms + talk_ms + hold_ms
        free_ms = over_ms + wrap_up_ms
        self.told(self.session, over_ms, self.say.disconnected(contact_id, talk_ms, hold_ms))
        for when_ms, phase in ((at_ms, TALKING), (over_ms, WRAPPING_UP)):
            self.told(self.agent_state, when_ms, self.say.slot(agent_id, when_ms, offer_id, phase))
        finished = self.say.wrapped_up(contact_id, free_ms, wrap_up_ms)
        self.told(self.agent_state, free_ms, finished)
        self.told(self.agent_state, free_ms, self.say.slot(agent_id, free_ms, offer_id, FREE))
        self.spend("talking", at_ms, over_ms)
        self.spend("wrapping_up", over_ms, free_ms)
        handled = self.row(free_ms, QUEUES[0])
        handled["handled"] += 1
        handled["talk_ms"] += talk_ms
        handled["hold_ms"] += hold_ms
        handled["wrap_up_ms"] += wrap_up_ms
        return free_ms

    def work(self, agent_id: str, until_ms: int) -> None:
        """Let an agent work from some time on, with pauses, until their last contact after `until_ms`."""
        now_ms = self.rng.randrange(0, 600) * 1_000
        self.told(self.agent_state, now_ms, self.say.presence(agent_id, now_ms, Presence.NOT_READY))
        number = 0
        while now_ms < until_ms:
            ready_ms = now_ms + self.rng.randrange(0, 60) * 1_000
            self.spend("not_ready", now_ms, ready_ms)
            ready = self.say.presence(agent_id, ready_ms, Presence.READY)
            self.told(self.agent_state, ready_ms, ready)
            now_ms = ready_ms
            for _ in range(self.rng.randrange(1, 4)):
                begin_ms = now_ms + self.rng.choice([0, 5_000, 60_000, 2_000_000])
                self.spend("idle", now_ms, begin_ms)
                number += 1
                now_ms = self.serve(agent_id, f"{agent_id}-{number}", begin_ms)
            tired = self.say.presence(agent_id, now_ms, Presence.NOT_READY)
            self.told(self.agent_state, now_ms, tired)
        left = self.say.presence(agent_id, now_ms, Presence.SIGNED_OFF)
        self.told(self.agent_state, now_ms, left)

    def numbers(self) -> list[object]:
        """Return what the ledger must say, in the form of `Day.numbers`."""
        starts = sorted({start for start, _ in self.queue_rows} | set(self.agent_rows))
        return [
            (
                self.say.MONDAY_MS + start,
                [
                    (queue_id, QueueCounts(**self.queue_rows[start, queue_id]))
                    for queue_id in QUEUES
                    if (start, queue_id) in self.queue_rows
                ],
                AgentTimes(**self.agent_rows[start]),
            )
            for start in starts
        ]


def written(say: "type[Facts]", seed: int) -> Script:
    """Return a few hours of three agents and their customers."""
    script = Script(say=say, rng=random.Random(seed))
    script.configure()
    for agent_id in ("alan", "grace", "mary"):
        script.work(agent_id, 6_000_000)
    for number in range(12):
        script.give_up(f"lost-{number}", script.rng.randrange(0, 6_000) * 1_000)
    return script


def read_in_any_order(day: "Day", script: Script, seed: int, *, lag_ms_max: int) -> None:
    """Tell the core all of it: each journal in its order, each with delays of its own, and time in between."""
    rng = random.Random(seed)
    by_time: dict[int, list[Command]] = defaultdict(list)
    for topic in (script.session, script.routing, script.agent_state):
        seen_ms = 0
        for at_ms, _, command in sorted(topic, key=lambda told: told[:2]):
            seen_ms = max(seen_ms, at_ms + rng.randrange(0, lag_ms_max + 1))
            by_time[seen_ms].append(command)
    for seen_ms in sorted(by_time):
        day.pass_time(seen_ms)
        for command in by_time[seen_ms]:
            day.tell(command, seen_ms)
    day.pass_time(max(by_time) + 2 * QUARTER_MS)


@pytest.mark.parametrize("lag_ms_max", [0, 3_000, 200_000, 5_000_000])
@pytest.mark.parametrize("seed", range(6))
def test_the_ledger_says_what_a_plain_calculation_says(
    say: "type[Facts]", seed: int, lag_ms_max: int
) -> None:
    script = written(say, seed)
    day = say.day()
    read_in_any_order(day, script, seed, lag_ms_max=lag_ms_max)
    assert day.numbers() == script.numbers()
    nothing_is_left(day)


@pytest.mark.parametrize("order", ["session", "routing", "agent_state"])
def test_one_journal_may_be_read_to_its_end_before_the_others(
    say: "type[Facts]", order: str
) -> None:
    script = written(say, 7)
    day = say.day()
    topics = [order, *(name for name in ("session", "routing", "agent_state") if name != order)]
    for name in topics:
        for _, _, command in sorted(getattr(script, name), key=lambda told: told[:2]):
            day.tell(command, 50_000_000)
    assert day.numbers() == script.numbers()
    nothing_is_left(day)


def nothing_is_left(day: "Day") -> None:
    state = day.state
    assert (state.contacts, state.conversations, state.wrap_ups, state.agents) == ({}, {}, {}, {})
    live = live_domain(state, state.day_start_ms)
    assert live.agents == ()
    assert all((queue.waiting, queue.ringing, queue.talking) == (0, 0, 0) for queue in live.queues)
