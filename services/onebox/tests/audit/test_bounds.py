"""Invariant 10, as far as a log tells it; and invariant 9, which has nothing to be about."""

from typing import Any

import pytest

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_onebox.audit import bounds
from huntgroup_recording import wiring
from huntgroup_recording.core import RecordingCore
from huntgroup_recording.core.state import State
from huntgroup_recording.core.values import QueueId, RecordingMode

from .story import abandoned, at, enqueued, initiated, queued, tell_the_day
from .written_log import WrittenLog


async def test_an_entry_beyond_the_size_of_a_batch_is_found() -> None:
    log = WrittenLog(services=["session"])
    log.tell("session", outcomes=[wire.Outcome(command_id="c", detail="x" * 524_000)])
    assert (await log.report()).clean
    position = log.tell("session", outcomes=[wire.Outcome(command_id="d", detail="x" * 524_400)])
    violation = await log.the_violation(10)
    assert violation.place is not None
    assert violation.place.position == position
    assert "at most 524,288 are allowed" in violation.why


def a_queue_for_one(log: WrittenLog) -> None:
    learned = session.QueueLearned(at_ms=at(0), queue_id="sales", waiting_max=1)
    log.tell("session", learned, initiated("ada", 1), queued("ada", 1))


async def test_a_queue_that_holds_more_than_it_may_is_found() -> None:
    log = WrittenLog(services=["session"])
    a_queue_for_one(log)
    log.tell("session", abandoned("ada", 2, 1_000))
    log.tell("session", initiated("ben", 3), queued("ben", 3))
    report = await log.report()
    assert report.clean, str(report)
    assert report.lines[9].counts["most waiting"] == 1
    log.tell("session", initiated("eve", 4), queued("eve", 4))
    violation = await log.the_violation(10)
    assert violation.why == "contact eve is number 2 in queue sales, which takes 1"


async def test_batches_that_are_not_published_are_counted_and_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "UNPUBLISHED_MAX", 2)
    log = WrittenLog(services=["session"])
    log.tell("session", initiated("ada", 1))
    log.tell("session", initiated("ben", 1))
    log.tell("session", initiated("eve", 1), relayed=2)
    assert (await log.report()).lines[9].counts["most unpublished"] == 2
    log.tell("session", initiated("joe", 1))
    assert "3 batches are not published, at most 2" in (await log.the_violation(10)).why


async def test_a_state_that_breaks_a_rule_of_its_core_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def initial(_: RecordingCore, domain: str) -> State:
        return State(domain=domain, policies={QueueId("q"): RecordingMode.OFF})

    monkeypatch.setattr(RecordingCore, "initial", initial)
    log = WrittenLog()
    tell_the_day(log)
    violations = await log.violations(10, applications={"recording": wiring.application()})
    assert [one.why for one in violations] == [
        "the state of recording: OFF is written by leaving out"
    ]


def taken_in(log: WrittenLog, position: int) -> list[wire.SourcePosition]:
    return [wire.SourcePosition(topic=log.journal("session").topic, position=position)]


async def test_a_service_that_writes_but_does_not_take_in_the_others_is_found() -> None:
    log = WrittenLog(services=["session", "routing"])
    first = log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("routing", enqueued("ada", 1), sources=taken_in(log, first + 1))
    ended: dict[str, Any] = {"ended": True, "epsilon_ms": 60_000}
    position = log.tell("session", initiated("ben", 2))
    log.tell("session", at_ms=at(3_600))
    log.tell("routing", at_ms=at(60))
    assert not [one for one in (await log.report(**ended)).violations if one.invariant == 10]
    log.tell("routing", at_ms=at(63))
    [found] = [one for one in (await log.report(**ended)).violations if one.invariant == 10]
    assert found.place is not None
    assert found.place.position == position
    assert found.why == "routing has not taken this in 62,000 ms later"
    log.tell("routing", at_ms=at(64), sources=taken_in(log, position + 1))
    assert not [one for one in (await log.report(**ended)).violations if one.invariant == 10]


async def test_no_service_lags_because_clocks_differ() -> None:
    log = WrittenLog(services=["session", "routing"])
    first = log.tell("session", initiated("ada", 1), queued("ada", 1))
    log.tell("routing", enqueued("ada", 3_601), sources=taken_in(log, first + 1))
    log.tell("session", initiated("ben", 2))
    log.tell("routing", at_ms=at(3_602))
    report = await log.report(ended=True)
    assert not [one for one in report.violations if one.invariant == 10]


async def test_the_dialer_is_said_to_be_not_there_and_never_to_be_checked() -> None:
    log = WrittenLog()
    tell_the_day(log)
    report = await log.report()
    assert [one.invariant for one in report.lines] == list(range(1, 11))
    assert str(report.lines[8]) == "n/a       9 dialer     not applicable: there is no dialer"
    said = report.values()["invariants"][8]
    assert (said["status"], said["holds"]) == ("not applicable", None)


def callback(seconds: float, until: float) -> session.CallbackScheduled:
    return session.CallbackScheduled(
        at_ms=at(seconds),
        contact_id="ada",
        queue_id="sales",
        resume_at_ms=at(until),
        in_line=True,
        wait_ms=1_000,
    )


async def test_a_callback_comes_back_to_its_place_however_many_wait() -> None:
    log = WrittenLog(services=["session"])
    a_queue_for_one(log)
    log.tell("session", callback(2, 100), initiated("ben", 3), queued("ben", 3))
    back = queued("ada", 100)
    back.stay = 1
    log.tell("session", back)
    assert "is number 2" in (await log.the_violation(10)).why, "as anybody else"
    log = WrittenLog(services=["session"])
    a_queue_for_one(log)
    log.tell("session", callback(2, 100), initiated("ben", 3), queued("ben", 3))
    back.returns = True
    log.tell("session", back)
    report = await log.report()
    assert report.clean, str(report)


async def test_who_was_moved_takes_a_place_there() -> None:
    log = WrittenLog(services=["session"])
    a_queue_for_one(log)
    log.tell("session", session.QueueLearned(at_ms=at(0), queue_id="night", waiting_max=1))
    moved = session.ContactMoved(
        at_ms=at(2), contact_id="ada", from_queue_id="sales", queue_id="night", stay=1
    )
    log.tell("session", moved, initiated("ben", 3), queued("ben", 3))
    assert (await log.report()).clean, "the place is free"
    log.tell("session", initiated("eve", 4), queued("eve", 4, queue_id="night"))
    assert "eve is number 2 in queue night" in (await log.the_violation(10)).why


async def test_who_is_to_be_called_back_another_day_may_live_on() -> None:
    log = WrittenLog(services=["session"])
    a_queue_for_one(log)
    log.tell("session", callback(2, 90_000))
    log.tell("session", at_ms=at(89_999))
    report = await log.report(ended=True)
    assert report.clean, str(report)
    log.tell("session", at_ms=at(90_000))
    assert "still live" in (await log.the_violation(1, ended=True)).why
