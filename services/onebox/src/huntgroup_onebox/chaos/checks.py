"""What must be so after a fault, from what clients noted and from the log."""

from collections.abc import Mapping
from typing import Final

from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.load import PARKED, WAITERS, Line
from huntgroup_onebox.chaos.results import Series, verdict
from huntgroup_onebox.chaos.stage import Stage

SHOWN: Final = 5


async def after_fault(
    stage: Stage, series: Series, before: Mapping[str, Mapping[str, Line]], *, ended: bool = False
) -> None:
    """Note in `series` whatever is not as it must be; `before` is who waited when the fault came."""
    count_places(series, before)
    compare_lines(series, before, await stage.lines())
    for load in stage.loads.values():
        for problem in load.take_problems():
            series.problem(problem)
    report = await stage.verify(ended=ended)
    series.audits += 1
    for violation in verdict(report):
        series.problem(violation)


async def at_end(stage: Stage, series: Series) -> None:
    """Serve everybody, and judge that nothing is left and that each acknowledged command counts exactly once."""
    await stage.stop_load()
    await after_fault(stage, series, {}, ended=True)
    await stage.watch.caught_up()
    compare_notes(stage, series)
    for load in stage.loads.values():
        counts = load.counts()
        series.acknowledged += counts.acknowledged
        series.repeated += counts.repeated
        series.sent_again += counts.sent_again


def count_places(series: Series, before: Mapping[str, Mapping[str, Line]]) -> None:
    """Note how many places are compared; those who are not served must be among them, else little was looked at."""
    for domain, queues in before.items():
        series.places += sum(map(len, queues.values()))
        if len(queues.get(PARKED, ())) < WAITERS:
            series.problem(f"{domain}: fewer than {WAITERS} waited in {PARKED} before the fault")


def compare_lines(
    series: Series,
    before: Mapping[str, Mapping[str, Line]],
    after: Mapping[str, Mapping[str, Line]],
) -> None:
    """Those who wait still must stand in the same order, as old as they were; those who are not served, all of them."""
    for domain, queues in before.items():
        for queue_id, line in queues.items():
            now = after[domain][queue_id]
            here = {one[0] for one in now}
            stayed = [one for one in line if one[0] in here]
            knew = {one[0] for one in line}
            same = [one for one in now if one[0] in knew]
            if stayed != same:
                series.problem(f"{domain}, {queue_id}: {stayed[:SHOWN]} became {same[:SHOWN]}")
            if queue_id == PARKED and len(stayed) != len(line):
                series.problem(f"{domain}, {queue_id}: {len(line) - len(stayed)} lost their places")


def compare_notes(stage: Stage, series: Series) -> None:
    """Look up every command that was acknowledged in what counts, read independently of the audit."""
    for domain, load in stage.loads.items():
        partition = stage.partition(domain)
        journals = {service: stage.watch.journals[service, partition] for service in SERVICES}
        for service, command_id in load.api.acknowledged:
            times = journals[service].outcomes[domain, command_id]
            if times != 1:
                series.problem(f"{service}: acknowledged {command_id} counts {times} times")
