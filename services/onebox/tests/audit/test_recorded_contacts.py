"""`huntgroup simulate` on the contacts of a log: what came, how long it took, who gave up."""

from pathlib import Path

import pytest
from msgspec import convert

from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup_onebox.simulate.draws import Recorded
from huntgroup_onebox.simulate.recorded import JournalError, recorded
from huntgroup_onebox.simulate.scenario import Scenario

from .story import accepted, at, dequeued, enqueued, freed
from .written_log import DOMAIN, WrittenLog


def scenario(queue: str = "sales", domain: str = DOMAIN) -> Scenario:
    arrivals = {"kind": "journal", "directory": "day", "domain": domain, "queue": queue}
    words = {
        "name": "what if",
        "run": {"until_s": 3_600},
        "queues": {"sales": {}},
        "classes": {"calls": {"queue": "sales", "arrivals": arrivals}},
        "agents": {"team": {"count": 1}},
    }
    return convert(words, Scenario)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Ada is answered after 5 s and takes 60 s in all, Ben gives up after 9 s, Carl still waits."""
    log = WrittenLog()
    log.tell("routing", enqueued("ada", 10), enqueued("ben", 12))
    log.tell("routing", accepted("ada", "grace", 15, 5_000))
    left = routing.ContactDequeued(at_ms=at(21), contact_id="ben", queue_id="sales")
    left.reason = routing.DEQUEUE_REASON_CUSTOMER_LEFT
    log.tell("routing", left, enqueued("carl", 30), freed("ada", "grace", 75))
    await log.keep(tmp_path / "day")
    return tmp_path


async def test_contacts_are_as_the_journal_tells_them(folder: Path) -> None:
    assert await recorded(scenario(), folder) == {
        "calls": [
            Recorded(at_ms=0, handled_ms=60_000, gave_up_after_ms=None),
            Recorded(at_ms=2_000, handled_ms=None, gave_up_after_ms=9_000),
            Recorded(at_ms=20_000, handled_ms=None, gave_up_after_ms=None),
        ]
    }


async def test_who_did_not_give_up_is_not_taken_for_impatient(tmp_path: Path) -> None:
    """A rule sends ben away, carl is called back 300 s later, and dora, lost after 4 s, is back as dan after 400 s."""
    log = WrittenLog()
    log.tell("routing", enqueued("ada", 10), enqueued("ben", 12), enqueued("carl", 14))
    sent, put_off, lost = dequeued("ben", 42), dequeued("carl", 44), dequeued("dora", 50)
    sent.reason = routing.DEQUEUE_REASON_OVERFLOWED
    put_off.reason = routing.DEQUEUE_REASON_CALLBACK_POSTPONED
    log.tell("routing", sent, put_off, enqueued("dora", 46), lost)
    called, back = enqueued("carl", 14), enqueued("dan", 46)
    called.at_ms, called.returns, back.at_ms, back.resumes = at(314), True, at(410), "dora"
    log.tell("routing", accepted("ada", "grace", 15, 5_000), freed("ada", "grace", 75))
    log.tell("routing", called, back)
    await log.keep(tmp_path / "day")
    assert await recorded(scenario(), tmp_path) == {
        "calls": [
            Recorded(at_ms=0, handled_ms=60_000, gave_up_after_ms=None),
            Recorded(at_ms=2_000, handled_ms=None, gave_up_after_ms=None),
            Recorded(at_ms=36_000, handled_ms=None, gave_up_after_ms=4_000),
            Recorded(at_ms=304_000, handled_ms=None, gave_up_after_ms=None),
            Recorded(at_ms=400_000, handled_ms=None, gave_up_after_ms=None),
        ]
    }


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (scenario(queue="web"), "nobody of queue 'web' was served; there are: sales"),
        (scenario(domain="acme/apac"), "no contact of the domain 'acme/apac'"),
    ],
)
async def test_what_the_journal_does_not_hold_is_told(
    folder: Path, asked: Scenario, why: str
) -> None:
    with pytest.raises(JournalError, match=rf"classes\.calls\.arrivals: .*{why}"):
        await recorded(asked, folder)
