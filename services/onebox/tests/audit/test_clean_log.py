"""A log in which all is well, and what the auditor says of it."""

import json

from huntgroup_onebox.audit import AuditReport, audit
from huntgroup_onebox.audit.report import INVARIANTS, Line

from .story import T, at, tell_the_day, tell_the_ledger
from .written_log import DOMAIN, WrittenLog


def line(report: AuditReport, invariant: int) -> Line:
    [found] = [one for one in report.lines if one.invariant == invariant]
    return found


async def test_a_day_in_which_all_is_well_is_clean_also_when_the_services_fold_it() -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    report = await audit(log.log)
    assert report.clean, str(report)
    counts = {line.invariant: line.counts for line in report.lines}
    assert counts[1] == {
        "contacts": 2,
        "completed": 1,
        "abandoned": 1,
        "live": 0,
        "offers in turn": 1,
    }
    assert counts[2] == {"reservations": 1, "released": 1, "held now": 0, "offers": 1}
    assert counts[3] == {"offers": 1, "accepted": 1, "open": 0}
    assert counts[4] == {}
    assert counts[6] == {"ledger entries": 12, "figures": 18}
    assert counts[7] == {"partitions folded twice": 5, "domain states": 5}
    assert counts[8]["public events"] == report.counts["events"]
    assert report.counts["ignored"] == report.counts["unreadable"] == 0


async def test_two_domains_may_use_the_same_names() -> None:
    log = WrittenLog()
    for domain in (DOMAIN, "globex/us"):
        tell_the_day(log, domain)
        tell_the_ledger(log, domain=domain)
    report = await log.report()
    assert report.clean, str(report)
    assert line(report, 8).counts["names in several domains"] == 4 + 1  # grace, ada, ada.1, …


async def test_with_a_domain_only_that_domain_is_judged() -> None:
    log = WrittenLog(partitions=1)
    tell_the_day(log)
    tell_the_ledger(log)
    tell_the_day(log, "globex/us", ada="eve", ben="bob")
    log.tell("session", domain="globex/us", key="someone/else", at_ms=at(200))
    assert not (await log.report()).clean
    report = await log.report(domain=DOMAIN)
    assert report.clean, str(report)
    assert report.lines[0].counts["contacts"] == 2


async def test_an_empty_log_of_ours_is_clean() -> None:
    report = await WrittenLog().report()
    assert report.clean
    assert report.counts["entries"] == 0


async def test_the_report_says_what_was_counted_in_lines_and_for_programs() -> None:
    log = WrittenLog()
    tell_the_day(log)
    tell_the_ledger(log)
    log.journal("session").record("", b"\xff nonsense")
    report = await log.report()
    text = str(report).splitlines()
    assert text[0].startswith("partitions 2, entries ")
    assert text[0].endswith("ignored 0, unreadable 1")
    assert len(text) == 1 + len(INVARIANTS) + 1
    assert text[1].startswith("holds     1 contacts   contacts 2 · completed 1 ·")
    assert text[-1].startswith("clean;")
    values = json.loads(json.dumps(report.values()))
    assert values["clean"] is True
    assert values["read"]["unreadable"] == 1
    assert [one["invariant"] for one in values["invariants"]] == list(INVARIANTS)
    assert values["violations"] == []


async def test_a_violation_is_named_in_the_line_and_for_programs() -> None:
    log = WrittenLog()
    position = log.tell("session", domain=DOMAIN, key="globex/us", at_ms=T)
    report = await log.report()
    topic, partition = log.journal("session").topic, log.journal("session").partition
    place = f"{topic} partition {partition} position {position}"
    assert f"1 times, first at {place}, acme/emea: the record's key is" in str(report)
    assert str(report).splitlines()[-1].startswith("1 of 9 invariants violated;")
    assert report.values()["violations"] == [
        {
            "invariant": 8,
            "topic": topic,
            "partition": partition,
            "position": position,
            "domain": DOMAIN,
            "why": "the record's key is b'globex/us', its domain 'acme/emea'",
        }
    ]


async def test_many_violations_are_counted_and_the_first_ones_kept() -> None:
    log = WrittenLog()
    for _ in range(30):
        log.tell("session", domain=DOMAIN, key="globex/us", at_ms=T)
    report = await log.report()
    assert line(report, 8).violations == 30
    assert len(report.violations) == 20
