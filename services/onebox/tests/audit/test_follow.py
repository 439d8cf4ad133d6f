"""The continuous auditor: reads on, tells every violation once, forgets what is over, and survives an absent log."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.reporting.v1 import events_pb2 as reporting
from huntgroup_eventlog.port import Log, LogUnavailableError
from huntgroup_onebox.audit import follow as follow_module
from huntgroup_onebox.audit.checks import Scope
from huntgroup_onebox.audit.database import DatabaseUnavailableError, ReportingDatabase
from huntgroup_onebox.audit.follow import Follower, Seldom
from huntgroup_onebox.audit.report import Findings
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_session.wiring import application
from huntgroup_testkit.failing_log import FailingLog

from . import story
from .story import abandoned, at, enqueued, initiated, ledger, queued, tell_the_day, tell_the_ledger
from .test_database import alter, copied
from .test_replay import kept_in, replica_after, store
from .written_log import DOMAIN, WrittenLog

DAY_MS = 86_400_000


class Auditor:
    """A follower whose rounds a test makes."""

    def __init__(self, log: Log, *, fold: bool = False, **more: Any) -> None:
        self.now_s = 0.0
        scope = Scope(
            log=log,
            findings=Findings(),
            applications={},
            epsilon_ms=5_000,
            interval_ms=0,
            grace_ms=60_000,
            clock=lambda: self.now_s,
            **more,
        )
        self.telemetry = Telemetry.off()
        self.follower = Follower(
            scope,
            self.telemetry,
            interval_ms=900_000,
            every_ms=1,
            applications={"session": application()} if fold else {},
        )
        self.findings = scope.findings

    async def new(self) -> list[str]:
        """Make a round; return what it finds, by invariant."""
        before = len(self.findings.violations)
        await self.follower.round()
        return [f"{one.invariant}: {one.why}" for one in self.findings.violations[before:]]

    def count(self, invariant: int) -> int:
        name, attributes = "huntgroup.audit.violations", {"invariant": str(invariant)}
        return self.telemetry.counter(name, attributes).value  # type: ignore[arg-type]

    def unchecked(self, invariant: int) -> float:
        attributes = {"invariant": str(invariant)}
        return self.telemetry.gauge("huntgroup.audit.unchecked", attributes).value


async def test_a_log_that_grows_is_audited_as_it_grows() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    assert await auditor.new() == []
    tell_the_day(log)
    assert await auditor.new() == []
    log.tell("session", initiated("eve", 101), queued("eve", 101))
    assert await auditor.new() == []
    log.tell("routing", enqueued("eve", 101))
    tell_the_ledger(log)
    assert auditor.follower.ready
    state = auditor.follower.state()
    assert (state["ready"], state["lag"], state["violations"]) == (True, 0, {})


async def test_a_violation_is_told_and_counted_once() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    tell_the_day(log)
    await auditor.new()
    log.tell("session", story.completed("ada", 120))
    assert await auditor.new() == ["1: contact ada has a ContactCompleted after it had ended"]
    assert await auditor.new() == []
    assert auditor.count(1) == 1
    assert auditor.follower.state()["violations"] == {"1": 1}


async def test_what_is_not_looked_at_is_said_all_the_time() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log, snapshots_in_memory=True)
    await auditor.new()
    stores = {"5": ["the store of recordings"], "6": ["the reporting database"]}
    assert auditor.follower.state()["not_checked"] == stores
    assert [auditor.unchecked(one) for one in (5, 6, 7)] == [1, 1, 0]


async def test_reporting_that_is_left_behind_is_compared_no_more_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huntgroup_onebox.audit.figures_expected.AHEAD_MAX", 2)
    log = WrittenLog()
    auditor = Auditor(log.log)
    tell_the_day(log)
    [found] = await auditor.new()
    assert "its figures are compared no more" in found
    tell_the_ledger(log)
    assert await auditor.new() == []
    left = "figures: reporting was left behind"
    parts = auditor.follower.state()["not_checked"]
    assert parts == {
        "5": ["the store of recordings"],
        "6": ["the reporting database", left],
        "7": ["stored snapshots"],
    }
    assert auditor.unchecked(6) == 2


async def test_what_is_missing_counts_after_the_grace_and_once() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    log.tell("session", initiated("eve", 1), queued("eve", 1))
    log.tell("routing", at_ms=at(1), sources=log.taken_in())
    assert await auditor.new() == []
    auditor.now_s = 61
    log.tell("routing", at_ms=at(61))
    assert await auditor.new() == [], "routing has had no more than the grace"
    log.tell("routing", at_ms=at(62))
    [found] = await auditor.new()
    assert "1: contact eve has a ContactQueued, but routing has no ContactEnqueued" in found
    log.tell("routing", at_ms=at(70))
    auditor.now_s = 200
    assert await auditor.new() == []


async def test_a_clock_that_jumps_is_no_time_in_which_something_is_missing() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    started = agent_state.AgentStartedWrapUp(
        at_ms=at(1), ends_at_ms=at(31), contact_id="ada", offer_id="ada.1", agent_id="grace"
    )
    log.tell("session", initiated("eve", 1), queued("eve", 1))
    log.tell("agent-state", story.signed_on("grace", 0), story.reserved("ada", "grace", 1))
    log.tell("routing", story.joined("grace", 0))
    log.tell("agent-state", started)
    log.tell("routing", at_ms=at(1), sources=log.taken_in())
    assert await auditor.new() == []
    for service in ("session", "routing", "agent-state"):
        log.tell(service, at_ms=at(3_601))
    found: list[str] = []
    for auditor.now_s in (2, 60, 62.5):
        found = await auditor.new()
        assert not found or auditor.now_s == 62.5
    first, second = found
    assert first.startswith("1: contact eve has a ContactQueued, but routing has no")
    assert second.startswith("2: offer ada.1 has a AgentStartedWrapUp, but agent-state has no")


async def test_a_service_that_never_comes_up_with_the_others_is_late_by_the_own_clock() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    topic = log.journal("session").topic
    positions = [log.tell("session", initiated(f"c{number}", 1)) for number in range(4)]
    found: list[str] = []
    for number, (now_s, ahead_s) in enumerate([(0, 3_600), (20, 3_620), (40, 3_640), (62, 3_662)]):
        auditor.now_s = now_s
        source = wire.SourcePosition(topic=topic, position=positions[number])
        log.tell("routing", at_ms=at(ahead_s), sources=[source])
        found = await auditor.new()
        assert not found or number == 3
    assert found == ["10: routing has not taken this in 62,000 ms later"]
    log.tell("routing", at_ms=at(3_663), sources=log.taken_in())
    log.tell("session", initiated("ben", 70))
    auditor.now_s = 500
    assert await auditor.new() == []


async def test_the_ledger_is_compared_when_it_has_taken_something_in() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    tell_the_day(log)
    assert await auditor.new() == []
    entries = ledger()
    wrong = reporting.AnsweredContactCounted()
    wrong.CopyFrom(entries["ada answered"])  # type: ignore[arg-type]
    wrong.wait_ms += 1
    last = entries.pop("off")
    tell_the_ledger(log, entries | {"ada answered": wrong})
    [found] = await auditor.new()
    assert "6: answered_wait_ms of queue sales in the interval" in found
    assert "is 4,001 in the ledger and 4,000 by the journals" in found
    tell_the_ledger(log, {"off": last})
    assert await auditor.new() == []
    assert auditor.count(6) == 1


async def test_what_waited_to_be_taken_in_keeps_its_order() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    log.tell("agent-state", story.signed_on("grace", 0))
    log.tell("routing", story.joined("grace", 0))
    assert await auditor.new() == []
    log.tell("agent-state", agent_state.AgentWentReady(at_ms=at(1), agent_id="grace"))
    entries = ledger()
    told = {name: entries[name] for name in ("on", "not ready", "idle")}
    tell_the_ledger(log, told)
    assert await auditor.new() == []
    off = agent_state.AgentSignedOff(at_ms=at(100), agent_id="grace")
    log.tell("agent-state", off)
    tell_the_ledger(log, {"idle again": story.agent_time(100, idle_ms=90_000)})
    assert await auditor.new() == []


async def test_public_events_that_stay_away_are_told_once() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    await auditor.new()
    log.tell("session", initiated("ada", 1), publish=False)
    log.tell("session", initiated("ben", 2), relayed=3)
    found = [*await auditor.new(), *await auditor.new()]
    log.tell("session", at_ms=at(100))
    found += await auditor.new()
    assert len(found) == 1
    assert "8: " in found[0]


async def test_each_tail_of_public_events_that_is_lost_is_told_once() -> None:
    log = WrittenLog()
    auditor = Auditor(log.log)
    journal = log.journal("session")
    for number, name in enumerate(("ada", "ben", "cyd"), start=1):
        position = log.tell("session", initiated(name, number), publish=False)
        chain = journal.chain
        log.tell("session", at_ms=at(number), relayed=journal.end)
        ends = f"the public topic ends at {number - 1}"
        [found] = await auditor.new()
        assert f"published up to event {number}, but {ends}" in found
        assert await auditor.new() == []
        [record] = log.log.storage.read_now(journal.topic, journal.partition, position, 1)
        now, journal.chain = journal.chain, chain
        journal.publish(wire.JournalEntry.FromString(record.value).batch, 0)
        journal.chain = now
        if number == 1:
            assert await auditor.new() == []
    assert auditor.count(8) == 3


async def test_a_log_that_is_away_for_a_while_is_followed_from_where_it_was() -> None:
    log = WrittenLog()
    failing = FailingLog(log.log)
    auditor = Auditor(failing)
    tell_the_day(log)
    await auditor.new()
    failing.away = True
    with pytest.raises(LogUnavailableError):
        await auditor.new()
    log.tell("session", initiated("eve", 130), abandoned("eve", 131, 0))
    failing.away = False
    assert await auditor.new() == []
    assert auditor.findings.counts[1]["contacts"] == 3


async def test_a_damaged_record_is_told_once_and_the_other_partitions_go_on() -> None:
    log = WrittenLog()
    failing = FailingLog(log.log)
    auditor = Auditor(failing)
    tell_the_day(log)
    await auditor.new()
    failing.damaged = "session.journal"
    log.tell("session", initiated("eve", 130))
    [found] = await auditor.new()
    assert found == "7: not as it was written"
    log.tell("session", initiated("joe", 140), domain="globex/us")
    assert await auditor.new() == ["7: not as it was written"]  # of the other partition
    assert await auditor.new() == []


async def test_a_log_without_all_journals_is_waited_for() -> None:
    log = WrittenLog(services=["session"])
    auditor = Auditor(log.log)
    with pytest.raises(LogUnavailableError, match="not all journals are there yet"):
        await auditor.new()
    assert not auditor.follower.ready


async def test_no_round_is_whole_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    async with ReportingDatabase(await copied(log, tmp_path / "r")) as database:
        auditor = Auditor(log.log, database=database)
        with monkeypatch.context() as away:
            away.setattr(ReportingDatabase, "read", _unavailable)
            for _ in range(2):
                assert await auditor.new() == []
                assert not auditor.follower.ready
        assert await auditor.new() == []
        assert auditor.follower.ready


async def _unavailable(*_: object, **__: object) -> None:
    raise DatabaseUnavailableError("it is away")


async def test_a_row_that_is_changed_in_the_database_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_module, "BESIDE_EVERY_S", 0.0)
    monkeypatch.setattr(follow_module, "SHARE_MAX", 1_000.0)
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    url = await copied(log, tmp_path / "r")
    async with ReportingDatabase(url) as database:
        auditor = Auditor(log.log, database=database)
        assert await auditor.new() == []
        alter(tmp_path / "r", "UPDATE ledger SET handled = 2")
        [found] = await auditor.new()
        assert "6: database row ledger of queue sales" in found
        assert "handled is 2, 1 by the journal" in found
        assert await auditor.new() == []


async def test_snapshots_are_compared_with_what_follows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_module, "BESIDE_EVERY_S", 0.0)
    monkeypatch.setattr(follow_module, "SHARE_MAX", 1_000.0)
    log = WrittenLog()
    tell_the_day(log)
    auditor = Auditor(log.log, fold=True, snapshots=kept_in(tmp_path))
    assert await auditor.new() == []
    await store(tmp_path, replica_after(log, 5, application()))
    assert await auditor.new() == []
    assert auditor.findings.counts[7]["stored snapshots"] == 1
    differing = replica_after(log, 6, application())
    differing.fold.domains[DOMAIN].sequence += 1
    await store(tmp_path, differing)
    [found] = await auditor.new()
    assert "snapshot and what follows it are not the fold of the log: the sequence of" in found
    whole = replica_after(log, 7, application())
    await store(tmp_path, whole, whole.snapshot()[:-1] + b"\0")
    [found] = await auditor.new()
    assert "cannot be used: digest does not match" in found
    assert await auditor.new() == []


async def test_a_store_of_snapshots_that_is_away_is_said_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_module, "BESIDE_EVERY_S", 0.0)
    monkeypatch.setattr(follow_module, "SHARE_MAX", 1_000.0)
    log = WrittenLog()
    tell_the_day(log)
    await store(tmp_path, replica_after(log, 5, application()))
    auditor = Auditor(log.log, fold=True, snapshots=kept_in(tmp_path))
    (tmp_path / "session").rename(tmp_path / "away")
    (tmp_path / "session").write_bytes(b"no directory")
    assert await auditor.new() == []
    assert auditor.unchecked(7) == 1
    (tmp_path / "session").unlink()
    (tmp_path / "away").rename(tmp_path / "session")
    assert await auditor.new() == []
    assert auditor.unchecked(7) == 0
    assert auditor.findings.counts[7]["stored snapshots"] == 1


async def test_days_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    log = WrittenLog(partitions=1)
    auditor = Auditor(log.log)
    begins = story.T
    kept: list[int] = []
    tracemalloc.start()
    for day in range(9):
        monkeypatch.setattr(story, "T", begins + day * DAY_MS)
        for number in range(30):
            name = f"{day}-{number}"
            log.tell("session", initiated(name, 1), queued(name, 1))
            log.tell("routing", enqueued(name, 1))
            log.tell("session", abandoned(name, 2, 1_000))
            log.tell("routing", story.dequeued(name, 2))
        log.tell("reporting", at_ms=at(3), sources=log.taken_in())
        for service in ("session", "routing"):
            log.tell(service, at_ms=at(3), relayed=log.journal(service).end)
        found = await auditor.new()
        assert not [one for one in found if not one.startswith("6:")], found
        mine = tracemalloc.take_snapshot().filter_traces(
            [tracemalloc.Filter(True, "*/huntgroup_onebox/audit/*")]
        )
        kept.append(sum(one.size for one in mine.statistics("filename")))
    tracemalloc.stop()
    assert kept[8] < 1.15 * kept[4], kept


def test_what_takes_long_is_done_seldom() -> None:
    now = [0.0]
    seldom = Seldom(30.0, clock=lambda: now[0])
    assert seldom.begin()
    now[0] = 10.0
    seldom.done()
    now[0] = 209.0
    assert not seldom.begin()
    now[0] = 210.0
    assert seldom.begin()
    seldom.done()
    now[0] = 241.0
    assert seldom.begin()
