"""How one replica behaves, told step by step on a list that stands for the log."""

from dataclasses import replace
from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import (
    CommandFailedError,
    CommandOutcome,
    CommandReusedError,
    NotOwnerError,
    OutcomeUnknownError,
    OverloadedError,
    PartitionHaltedError,
)
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.fold import Fold
from huntgroup_eventlog.journal.replica import Limits, Replica, Role
from huntgroup_eventlog.journal.snapshot import SnapshotRejectedError, load_snapshot
from huntgroup_eventlog.journal.source import SourceFeed
from huntgroup_testkit.counter import (
    Add,
    Added,
    Remind,
    Reminded,
    counter_application,
)

DOMAIN = "acme/emea"


class World:
    """A log and the replicas that read it."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.answers: dict[str, Any] = {}
        self.accepted: list[Any] = []
        self.seen: list[fx.Effect] = []

    def replica(self, owner: str, **more: Any) -> Replica:
        replica = Replica(
            counter_application(), partition=0, owner=owner, address=f"{owner}:1", **more
        )
        self.catch_up(replica)
        return replica

    def owner(self, name: str = "a", **more: Any) -> Replica:
        replica = self.replica(name, **more)
        replica.claim(1_000)
        self.settle(replica, 1_000)
        assert replica.role is Role.OWNING
        return replica

    def catch_up(self, replica: Replica) -> None:
        while replica.position < len(self.log) and replica.role not in (Role.RETIRED, Role.HALTED):
            replica.read(replica.position, self.log[replica.position])

    def carry_out(self, replica: Replica) -> int:
        done = 0
        while replica.effects:
            effect = replica.effects.popleft()
            self.seen.append(effect)
            done += 1
            match effect:
                case fx.Append(value=value):
                    self.log.append(value)
                case fx.Answer(ticket=ticket, result=result):
                    self.answers[ticket] = result
                case fx.Accepted():
                    self.accepted.extend(effect.events())
                case _:
                    pass
        return done

    def settle(self, replica: Replica, now_ms: int) -> None:
        while True:
            replica.advance(now_ms)
            done = self.carry_out(replica)
            before = replica.position
            self.catch_up(replica)
            if not done and not replica.effects and before == replica.position:
                return

    def submit(
        self,
        replica: Replica,
        command_id: str,
        command: Any,
        check: int = 7,
        domain: str = DOMAIN,
        *,
        in_progress: bool = True,
    ) -> None:
        ticket = command_id + str(len(self.seen))
        replica.submit(
            Submission(
                domain, command_id, command, check, "00-trace", ticket, in_progress=in_progress
            )
        )

    def ask(
        self, replica: Replica, command_id: str, command: Any, now_ms: int = 2_000, **more: Any
    ) -> Any:
        self.submit(replica, command_id, command, **more)
        before = set(self.answers)
        self.settle(replica, now_ms)
        (ticket,) = set(self.answers) - before
        return self.answers[ticket]


@pytest.fixture
def world() -> World:
    return World()


def total(replica: Replica, name: str = "x") -> int:
    totals: dict[str, int] = replica.fold.domains[DOMAIN].state.totals
    return totals.get(name, 0)


def test_a_command_is_answered_only_after_its_batch_was_read_back(world: World) -> None:
    replica = world.owner()
    world.submit(replica, "c1", Add(name="x", amount=3))
    replica.advance(2_000)
    world.carry_out(replica)
    assert not world.answers
    world.catch_up(replica)
    world.carry_out(replica)
    (outcome,) = world.answers.values()
    assert outcome == CommandOutcome(command_id="c1", position=1)
    assert [a.event for a in world.accepted] == [Added(at_ms=2_000, name="x", amount=3, total=3)]


def test_a_follower_refuses_and_names_the_owner(world: World) -> None:
    world.owner("a")
    follower = world.replica("b")
    with pytest.raises(NotOwnerError) as error:
        world.submit(follower, "c1", Add(name="x", amount=1))
    assert error.value.address == "a:1"


def test_a_repeated_command_has_one_effect_and_the_same_reply(world: World) -> None:
    replica = world.owner()
    first = world.ask(replica, "c1", Add(name="x", amount=3))
    again = world.ask(replica, "c1", Add(name="x", amount=3))
    assert (again.position, again.reason, again.repeated) == (first.position, "", True)
    assert total(replica) == 3


def test_a_repetition_in_the_same_batch_and_in_flight_waits_for_the_first(world: World) -> None:
    replica = world.owner()
    for ticket in ("t1", "t2"):
        replica.submit(Submission(DOMAIN, "c1", Add(name="x", amount=3), 7, "", ticket))
    replica.advance(2_000)
    replica.submit(Submission(DOMAIN, "c1", Add(name="x", amount=3), 7, "", "t3"))
    replica.advance(2_000)
    world.carry_out(replica)
    assert not world.answers
    world.settle(replica, 2_000)
    assert [world.answers[t].repeated for t in ("t1", "t2", "t3")] == [False, True, True]
    assert {world.answers[t].position for t in ("t1", "t2", "t3")} == {1}
    assert total(replica) == 3


def test_a_command_id_used_for_another_command_is_told(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c1", Add(name="x", amount=3))
    assert isinstance(
        world.ask(replica, "c1", Add(name="x", amount=4), check=8), CommandReusedError
    )
    assert total(replica) == 3


def test_a_refusal_is_remembered_with_its_reason(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c0", Add(name="x", amount=1))
    first = world.ask(replica, "c1", Add(name="x", amount=-1))
    again = world.ask(replica, "c1", Add(name="x", amount=-1))
    assert (first.reason, again.reason, again.detail) == ("NEGATIVE", "NEGATIVE", first.detail)
    assert total(replica) == 1


def test_a_refusal_in_an_unknown_domain_leaves_no_trace(world: World) -> None:
    replica = world.owner()
    outcome = world.ask(replica, "c1", Add(name="x", amount=-1))
    assert (outcome.reason, outcome.position) == ("NEGATIVE", -1)
    assert not replica.fold.domains
    assert len(world.log) == 1


def test_time_is_told_when_a_deadline_comes(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c1", Remind(name="r", delay_ms=500), now_ms=2_000)
    assert replica.next_wake_ms() == 2_500
    world.settle(replica, 2_499)
    assert [type(a.event) for a in world.accepted] == [type(world.accepted[0].event)]
    world.settle(replica, 2_500)
    assert world.accepted[-1].event == Reminded(at_ms=2_500, name="r")
    assert replica.next_wake_ms() is None


def test_time_waits_while_enough_batches_are_in_flight(world: World) -> None:
    replica = world.owner(limits=Limits(batches_in_flight_max=1))
    for delay_ms in (500, 600):
        world.ask(
            replica, f"c{delay_ms}", Remind(name=f"{delay_ms}", delay_ms=delay_ms), now_ms=2_000
        )
    for now_ms in (2_500, 2_600):  # the log answers nothing
        replica.advance(now_ms)
    assert (replica.in_flight, replica.next_wake_ms()) == (1, None)
    world.settle(replica, 2_700)
    assert [one.event for one in world.accepted[-2:]] == [
        Reminded(at_ms=2_500, name="500"),
        Reminded(at_ms=2_700, name="600"),
    ]


def test_log_time_never_goes_back(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c1", Add(name="x", amount=1), now_ms=5_000)
    world.ask(replica, "c2", Add(name="x", amount=1), now_ms=4_000)
    assert [a.at_ms for a in world.accepted] == [5_000, 5_000]


def test_the_owner_that_was_replaced_retires_and_its_batch_counts_for_nobody(world: World) -> None:
    old = world.owner("a")
    new = world.owner("b")
    world.submit(old, "c1", Add(name="x", amount=1))
    old.advance(2_000)
    world.settle(old, 2_000)
    assert old.role is Role.RETIRED
    assert isinstance(next(iter(world.answers.values())), OutcomeUnknownError)
    world.settle(new, 2_000)
    assert DOMAIN not in new.fold.domains


def test_a_lost_append_is_noticed_and_the_owner_retires(world: World) -> None:
    replica = world.owner()
    world.submit(replica, "c1", Add(name="x", amount=1))
    replica.advance(2_000)
    replica.effects.clear()  # the append is lost
    world.submit(replica, "c2", Add(name="x", amount=1))
    world.settle(replica, 2_000)
    assert replica.role is Role.RETIRED
    assert [type(a) for a in world.answers.values()] == [OutcomeUnknownError, OutcomeUnknownError]
    assert DOMAIN not in world.replica("b").fold.domains


def test_a_duplicated_append_changes_nothing(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c1", Add(name="x", amount=1))
    world.log.append(world.log[-1])
    world.ask(replica, "c2", Add(name="x", amount=1))
    assert (replica.role, total(replica), total(world.replica("b"))) == (Role.OWNING, 2, 2)


def test_a_resigned_owner_is_replaced_at_once(world: World) -> None:
    replica = world.owner("a")
    follower = world.replica("b")
    replica.resign()
    with pytest.raises(NotOwnerError):
        world.submit(replica, "c1", Add(name="x", amount=1))
    world.settle(replica, 2_000)
    world.catch_up(follower)
    assert (replica.role, follower.owner_resigned) == (Role.RETIRED, True)


def test_a_bug_stops_the_partition_and_says_so(world: World) -> None:
    replica = world.owner()
    answer = world.ask(replica, "c1", Add(name="x", amount=1, explode=True))
    assert isinstance(answer, PartitionHaltedError)
    assert "deciding Add c1 of acme/emea" in str(answer)
    halted = world.seen[-1]
    assert isinstance(halted, fx.Halted)
    assert isinstance(halted.error, ZeroDivisionError)
    with pytest.raises(PartitionHaltedError):
        world.submit(replica, "c2", Add(name="x", amount=1))


def test_when_a_partition_halts_each_command_is_told_what_became_of_it(world: World) -> None:
    replica = world.owner()
    world.submit(replica, "in the log", Add(name="x", amount=1))
    replica.advance(2_000)
    replica.query(DOMAIN, lambda state: state.totals["x"], "a read of it")
    world.submit(replica, "beside it", Add(name="x", amount=1))
    world.submit(replica, "the bug", Add(name="x", amount=1, explode=True))
    world.submit(replica, "after it", Add(name="x", amount=1))
    replica.advance(2_000)
    world.carry_out(replica)
    assert replica.role is Role.HALTED
    told = {ticket.rstrip("0123456789"): type(one) for ticket, one in world.answers.items()}
    assert told == {
        "in the log": OutcomeUnknownError,
        "a read of it": OutcomeUnknownError,
        "beside it": NotOwnerError,
        "the bug": CommandFailedError,
        "after it": NotOwnerError,
    }
    successor = world.owner("b")
    assert world.ask(successor, "in the log", Add(name="x", amount=1)).repeated
    assert not world.ask(successor, "beside it", Add(name="x", amount=1)).repeated
    assert total(successor) == 2


def test_who_waits_for_a_batch_that_cannot_be_taken_in_is_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = world.owner()
    monkeypatch.setattr(Fold, "note", lambda *_: 1 // 0)
    answer = world.ask(replica, "c1", Add(name="x", amount=1))
    assert replica.role is Role.HALTED
    assert isinstance(answer, OutcomeUnknownError)


def test_commands_beyond_the_bound_are_told_and_not_taken(world: World) -> None:
    replica = world.owner(limits=Limits(inputs_waiting_max=1))
    world.submit(replica, "c1", Add(name="x", amount=1))
    with pytest.raises(OverloadedError, match="inputs_waiting_max"):
        world.submit(replica, "c2", Add(name="x", amount=1))


def test_events_that_cannot_be_published_are_bounded_in_number_and_in_bytes(world: World) -> None:
    for limits in (Limits(unrelayed_batches_max=2), Limits(unrelayed_bytes_max=700)):
        replica = world.owner(f"owner of {limits}", limits=limits)
        replica.relayed_to(replica.position)
        assert replica.fold.unrelayed_bytes == 0
        for number in range(3):
            world.ask(replica, f"{limits} {number}", Add(name="x", amount=1))
        with pytest.raises(OverloadedError, match="the public topic is behind"):
            world.submit(replica, f"{limits} 9", Add(name="x", amount=1))
        replica.relayed_to(replica.position)
        assert world.ask(replica, f"{limits} 9", Add(name="x", amount=1)).reason == ""


def test_new_work_leaves_half_of_each_bound_to_work_in_progress(world: World) -> None:
    add = Add(name="x", amount=1)
    for limits in (Limits(inputs_waiting_max=4), Limits(unrelayed_batches_max=4)):
        replica = world.owner(f"owner of {limits}", limits=limits)
        replica.relayed_to(replica.position)
        waits = limits.inputs_waiting_max == 4
        taken = 2 if waits else 3

        def take(
            number: int, *, in_progress: bool, replica: Any = replica, say: str = str(limits)
        ) -> None:
            world.submit(replica, f"{say} {number}", add, in_progress=in_progress)

        for number in range(taken):
            take(number, in_progress=False)
            if not waits:
                world.settle(replica, 2_000)
        with pytest.raises(OverloadedError, match="50% of it for new work"):
            take(9, in_progress=False)
        for number in range(taken, taken + 2):
            take(number, in_progress=True)
            if not waits:
                world.settle(replica, 2_000)
        with pytest.raises(OverloadedError, match="_max\\)"):
            take(10, in_progress=True)


def test_new_work_that_was_done_is_answered_again_although_its_half_is_used_up(
    world: World,
) -> None:
    replica = world.owner(limits=Limits(unrelayed_batches_max=1))
    add = Add(name="x", amount=1)
    answers = [world.ask(replica, "c1", add, in_progress=False) for _ in range(2)]
    assert [one.repeated for one in answers] == [False, True]
    with pytest.raises(OverloadedError):
        world.submit(replica, "c2", add, in_progress=False)


def test_new_work_leaves_half_of_the_remembered_commands(world: World) -> None:
    replica = world.owner(limits=Limits(remembered_commands_max=2))
    told = [
        world.ask(replica, f"c{number}", Add(name="x", amount=1), in_progress=in_progress)
        for number, in_progress in enumerate((False, False, True, True))
    ]
    assert [isinstance(one, OverloadedError) for one in told] == [False, True, False, True]


def test_a_domain_at_its_bound_of_remembered_commands_is_served_again_a_day_later(
    world: World,
) -> None:
    replica = world.owner(limits=Limits(remembered_commands_max=2))
    for number in range(2):
        world.ask(replica, f"c{number}", Add(name="x", amount=1))
    told = [
        world.ask(replica, f"later {hours}", Add(name="x", amount=1), now_ms=hours * 3_600_000)
        for hours in (1, 24, 26)
    ]
    assert [isinstance(one, OverloadedError) for one in told] == [True, True, False]
    assert total(replica) == 3
    assert world.replica("b").snapshot() == replica.snapshot()


def test_every_unpublished_event_is_counted_and_none_that_was_published(world: World) -> None:
    replica = world.owner()
    for number in range(60):
        world.ask(replica, f"c{number}", Add(name="x", amount=1))
    held = sum(len(item.events) for item in replica.fold.unrelayed)
    assert replica.fold.unrelayed_events == held >= 60
    replica.relayed_to(replica.fold.unrelayed[10].position)
    assert replica.fold.unrelayed_events == held - 10
    replica.relayed_to(replica.position)
    assert replica.fold.unrelayed_events == 0


def test_deadlines_that_are_put_off_again_and_again_take_no_memory() -> None:
    fold = Fold(counter_application())
    state = fold.domain(DOMAIN).state
    for number in range(10_000):
        state.due = {"x": 1_000_000 + number}
        fold.refresh_deadline(DOMAIN)
    assert len(fold._deadlines) < 200
    assert fold.next_deadline() == 1_009_999


def test_nothing_is_decided_for_a_caller_who_has_gone(world: World) -> None:
    replica, gone = world.owner(), {"c1"}

    def submit(command_id: str) -> None:
        command = Add(name="x", amount=1)
        replica.submit(
            Submission(DOMAIN, command_id, command, 7, "", command_id, lambda: command_id in gone)
        )

    submit("c1")
    submit("c2")
    world.settle(replica, 2_000)
    assert total(replica) == 1
    assert list(world.answers) == ["c2"]
    assert world.ask(replica, "c1", Add(name="x", amount=1)).repeated is False


def test_a_batch_stays_below_its_bound(world: World) -> None:
    replica = world.owner(limits=Limits(batch_bytes_closing=2_000, batches_in_flight_max=100))
    for n in range(200):
        world.submit(replica, f"c{n}", Add(name="x", amount=1))
    world.settle(replica, 2_000)
    assert max(map(len, world.log)) <= 2_500
    assert len(world.log) > 10
    assert total(replica) == 200


def test_an_entry_that_cannot_be_decoded_is_parked_and_stops_nothing(world: World) -> None:
    replica = world.owner()
    world.log.append(b"\xff\xff garbage")
    world.ask(replica, "c1", Add(name="x", amount=1))
    parked = [e for e in world.seen if isinstance(e, fx.Parked)]
    assert [(p.position, p.value) for p in parked] == [(1, b"\xff\xff garbage")]
    assert total(replica) == 1


def test_a_snapshot_and_the_tail_equal_the_full_replay(world: World) -> None:
    replica = world.owner(limits=Limits(snapshot_every_records=5))
    for n in range(12):
        world.ask(replica, f"c{n}", Add(name="x", amount=n % 3 - 1), now_ms=2_000 + n * 700_000)
    taken = [e for e in world.seen if isinstance(e, fx.SnapshotTaken)]
    assert len(taken) >= 2
    for one in taken:
        at = load_snapshot(counter_application(), 0, one.dumped)
        assert at.position == one.position
        resumed = world.replica("b", at=at)
        assert resumed.snapshot() == world.replica("c").snapshot() == replica.snapshot()


def test_a_snapshot_that_is_corrupt_or_of_other_code_is_rejected(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c1", Add(name="x", amount=1))
    dumped = replica.snapshot()
    corrupt = dumped[:-1] + bytes([dumped[-1] ^ 1])
    with pytest.raises(SnapshotRejectedError, match="corrupt"):
        load_snapshot(counter_application(), 0, corrupt)
    with pytest.raises(SnapshotRejectedError, match="code version"):
        load_snapshot(replace(counter_application(), code_version="test-2"), 0, dumped)
    with pytest.raises(SnapshotRejectedError, match="partition"):
        load_snapshot(counter_application(), 1, dumped)


def test_a_query_sees_what_was_decided_before_it_and_waits_for_its_acceptance(world: World) -> None:
    replica = world.owner()
    world.submit(replica, "c1", Add(name="x", amount=5))
    replica.advance(2_000)
    replica.query(DOMAIN, lambda state: state.totals["x"], "q")
    world.carry_out(replica)
    assert "q" not in world.answers
    world.settle(replica, 2_000)
    assert world.answers["q"] == 5


def feed(replica: Replica, entries: list[bytes]) -> SourceFeed:
    """Let an owner take in another journal, from where its own says that it has."""
    source = SourceFeed.begin(
        "elsewhere", "other", replica.fold.sources.get("elsewhere"), counter_application().reactions
    )
    for position in range(source.position, len(entries)):
        replica.take_in(source.read(position, entries[position]))
    return source


def burst(count: int) -> list[bytes]:
    """Return another journal with an entry of so many events, each of which calls for one that is much larger."""
    elsewhere = World()
    owner = elsewhere.owner()
    for n in range(count):
        elsewhere.submit(owner, f"c{n}", Add(name="y" * 2_000, amount=1))
    elsewhere.settle(owner, 2_000)
    return elsewhere.log


def test_what_follows_from_a_burst_elsewhere_takes_as_many_batches_as_it_needs(
    world: World,
) -> None:
    entries = burst(120)
    replica = world.owner(limits=Limits(batch_bytes_closing=4_096))
    before = len(world.log)
    source = feed(replica, entries)
    world.settle(replica, 2_000)
    assert replica.role is Role.OWNING
    assert total(replica, "y" * 2_000) == 120
    assert len(world.log) - before >= 40
    assert max(map(len, world.log)) <= 3 * 4_096
    assert replica.fold.sources["elsewhere"] == source.cursor()


def test_a_new_owner_goes_on_in_the_midst_of_an_entry(world: World) -> None:
    entries = burst(120)
    limits = Limits(batch_bytes_closing=4_096, batches_in_flight_max=3)
    feed(first := world.owner("a", limits=limits), entries)
    for _ in range(4):
        first.advance(2_000)
        world.carry_out(first)
        world.catch_up(first)
    assert 0 < first.fold.sources["elsewhere"].events_taken < 120
    restored = load_snapshot(counter_application(), 0, first.snapshot())
    assert restored.fold.sources == first.fold.sources
    feed(second := world.owner("b", limits=limits), entries)
    world.settle(second, 3_000)
    assert total(second, "y" * 2_000) == 120
    assert second.fold.sources["elsewhere"].events_taken == 0
    assert world.replica("c").fold.sources == second.fold.sources


def test_a_repeat_that_is_forgotten_before_its_answer_is_answered_all_the_same(
    world: World,
) -> None:
    replica = world.owner()
    world.ask(replica, "first", Add(name="x", amount=1), now_ms=3_600_000)
    for ticket, command_id in (("t0", "other"), ("t1", "first")):
        replica.submit(Submission(DOMAIN, command_id, Add(name="x", amount=1), 7, "", ticket))
        replica.advance(3_600_000)
    replica.submit(Submission(DOMAIN, "much later", Add(name="x", amount=1), 7, "", "t2"))
    replica.advance(3_600_000 * 30)
    world.settle(replica, 3_600_000 * 30)
    assert replica.role is Role.OWNING
    assert (world.answers["t1"].repeated, world.answers["t1"].position) == (True, 1)


def test_after_the_last_batch_nothing_more_is_written(world: World) -> None:
    replica = world.owner()
    world.ask(replica, "c1", Remind(name="r", delay_ms=10))
    replica.resign()
    replica.advance(2_001)
    replica.advance(9_000)
    world.carry_out(replica)
    entries = [wire.JournalEntry.FromString(value) for value in world.log]
    assert [entry.batch.resigned for entry in entries] == [False, False, True]


def test_an_unreadable_entry_is_set_aside_by_the_owner_alone(world: World) -> None:
    replica = world.owner()
    world.log.append(b"\xff garbage")
    world.settle(replica, 2_000)
    follower = world.replica("b")
    world.carry_out(follower)
    assert len([one for one in world.seen if isinstance(one, fx.Parked)]) == 1
    assert follower.reader.unreadable == 1


def test_domains_beyond_the_bound_are_told_and_not_taken(world: World) -> None:
    replica = world.owner(limits=Limits(domains_max=1))
    world.ask(replica, "c1", Add(name="x", amount=1))
    told = world.ask(replica, "c2", Add(name="x", amount=1), domain="acme/apac")
    assert isinstance(told, OverloadedError)
    assert "domains_max" in str(told)
    assert list(replica.fold.domains) == [DOMAIN]
