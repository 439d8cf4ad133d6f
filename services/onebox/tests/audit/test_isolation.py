"""Invariant 8: nothing crosses a domain."""

import pytest

from huntgroup.session.v1 import events_pb2 as session
from huntgroup_eventlog.partitioning import partition_of

from .story import (
    T,
    at,
    enqueued,
    initiated,
    joined,
    offered,
    released,
    reserved,
    signed_on,
    tell_the_day,
)
from .written_log import DOMAIN, PARTITIONS, WrittenLog

OTHER = "globex/us"
UUID = "01920000-0000-7000-8000-000000000001"


async def test_a_record_whose_key_is_not_its_domain_is_found() -> None:
    log = WrittenLog()
    position = log.tell("session", key=OTHER, at_ms=T)
    violation = await log.the_violation(8)
    assert violation.place is not None
    assert violation.place.position == position
    assert "key is b'globex/us', its domain 'acme/emea'" in violation.why


async def test_a_domain_in_a_foreign_partition_is_found() -> None:
    log = WrittenLog()
    right = partition_of(DOMAIN, PARTITIONS)
    log.in_partition("session", 1 - right).batch(at_ms=T)
    assert f"the domain belongs in partition {right}" in (await log.the_violation(8)).why


async def test_events_without_a_domain_are_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), domain="", publish=False)
    whys = [one.why for one in await log.violations(8)]
    assert "the batch names no domain, but holds events or outcomes" in whys


async def test_a_batch_that_only_reports_progress_needs_no_domain() -> None:
    log = WrittenLog()
    log.tell("session", domain="", at_ms=T)
    assert (await log.report()).clean


async def test_a_unique_id_in_two_domains_is_found() -> None:
    log = WrittenLog()
    log.tell("session", initiated(UUID, 1))
    log.tell("session", initiated(UUID, 2), domain=OTHER)
    violation = await log.the_violation(8)
    homes = sorted((DOMAIN, OTHER), key=lambda one: partition_of(one, PARTITIONS))
    assert violation.domain == homes[1]
    assert violation.why == f"contact {UUID} belongs to {homes[0]}, where it was seen before"


async def test_a_name_that_two_tenants_chose_is_no_violation() -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1))
    log.tell("session", initiated("ada", 2), domain=OTHER)
    assert (await log.report()).clean


@pytest.mark.parametrize(("home", "abroad"), [(DOMAIN, OTHER), (OTHER, DOMAIN)])
async def test_a_contact_agent_or_offer_of_another_tenant_is_found(home: str, abroad: str) -> None:
    log = WrittenLog()
    log.tell("session", initiated("ada", 1), domain=home)
    log.tell("agent-state", signed_on("grace", 1), domain=home)
    log.tell("routing", joined("grace", 1), enqueued("ada", 1), domain=home)
    log.tell("routing", offered("ada", "grace", 1), domain=home)
    log.tell("agent-state", reserved("ada", "grace", 2), domain=abroad)
    log.tell("agent-state", released("ada", "grace", 2), domain=abroad)
    violations = [one for one in (await log.report()).violations if one.invariant == 8]
    assert {one.why.split(" ")[0] for one in violations} == {"contact", "agent", "offer"}
    assert {one.domain for one in violations} == {abroad}
    assert all("does not come from here" in one.why for one in violations)


async def test_a_recording_outside_its_domain_is_found() -> None:
    log = WrittenLog()
    tell_the_day(log, location="acme/emea/rec-ada.wav")
    assert (await log.report()).clean
    log = WrittenLog()
    tell_the_day(log, location="globex/us/rec-ada.wav")
    assert "is kept at 'globex/us/rec-ada.wav'" in (await log.the_violation(8)).why


async def test_a_domain_whose_name_begins_alike_is_another_one() -> None:
    log = WrittenLog()
    tell_the_day(log, location="acme/emea2/rec-ada.wav")
    assert "outside its domain" in (await log.the_violation(8)).why


async def test_ids_of_the_same_domain_are_seen_by_all_services() -> None:
    log = WrittenLog()
    tell_the_day(log, ada=UUID)
    log.tell("session", session.ContactConnectionFailed(at_ms=at(98), contact_id=UUID))
    report = await log.report()
    assert report.clean
    assert report.lines[7].counts["ids"] == 2 + 1 + 1 + 1  # contacts, offer, agent, recording
