"""The faults, each injected again and again into a cluster of its own."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from huntgroup_contracts.registry import topic_journal
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.broker_topics import topics_of
from huntgroup_onebox.chaos.checks import after_fault, at_end
from huntgroup_onebox.chaos.full_disk import full_disk
from huntgroup_onebox.chaos.results import Series
from huntgroup_onebox.chaos.run import MOMENT_S_MAX, Run
from huntgroup_onebox.chaos.stage import Stage
from huntgroup_onebox.chaos.zombie import CallsAtTheDoor
from huntgroup_runtime.local_kafka import LocalKafka, LocalKafkaCluster

FROZEN_S: Final = 10.0
AT_THE_DOOR: Final = 0.7
"""When that much of the time is over, calls are sent to the frozen process."""
WITHIN_S: Final = 60.0
BROKERS: Final = 3
RETIRED: Final = "huntgroup_journal_retired_total"


Fault = Callable[[Run], Awaitable[None]]


async def kill_owner(run: Run) -> None:
    """`kill -9` of the process that owns a domain, for each service in turn."""
    for service in run.services:
        await _kill_owner_of(run, service)


async def _kill_owner_of(run: Run, service: str) -> None:
    with run.series("kill-owner", f"kill -9 the owner of {service}") as series:
        chance = run.chance(series.what)
        async with run.stage(f"kill-{service}") as stage:
            for number in range(run.kills):
                await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                await kill_once(stage, series, service, stage.domains[number % len(stage.domains)])
                run.say(f"{series.what}: {number + 1} of {run.kills}, {series.seconds[-1]:.2f} s")
            await at_end(stage, series)


async def kill_once(stage: Stage, series: Series, service: str, domain: str) -> None:
    """Kill the process that owns a domain, start it again, and look for harm."""
    before = await stage.lines()
    victim = stage.owner(service, domain)
    hit = stage.owned(service, victim)
    began_s = time.monotonic()
    stage.process(service, victim).kill()
    stage.process(service, victim).wait()
    await _note_silence(stage, series, service, hit, began_s)
    again = asyncio.create_task(stage.start_again(service, victim))
    await after_fault(stage, series, before)
    await again


async def _note_silence(
    stage: Stage, series: Series, service: str, domains: list[str], began_s: float
) -> None:
    """Wait until clients are answered again, and note how long they were not."""
    if not await stage.answered(service, domains, began_s):
        series.problem(f"{service} did not answer again within a minute")
    series.seconds.append(stage.silence_s(service, domains, began_s))


async def freeze_owner(run: Run) -> None:
    """SIGSTOP of the process that owns a domain for ten seconds, then SIGCONT: it must retire."""
    with run.series("freeze-owner", "SIGSTOP the owner for 10 s, of each service") as series:
        chance = run.chance(series.what)
        async with run.stage("freeze") as stage:
            for number in range(run.fewer):
                for service in run.services:
                    await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                    await freeze_once(
                        stage, series, service, stage.domains[number % len(stage.domains)]
                    )
                    run.say(f"{series.what}: {service}, {series.seconds[-1]:.2f} s")
            await at_end(stage, series)


async def freeze_once(stage: Stage, series: Series, service: str, domain: str) -> None:
    """Freeze the process that owns a domain, let it run again, and look for harm and for its retirement."""
    before = await stage.lines()
    victim = stage.owner(service, domain)
    hit, process = stage.owned(service, victim), stage.process(service, victim)
    epochs = {one: stage.watch.owner(service, stage.partition(one)).epoch for one in hit}
    retired = await stage.metric(service, victim, RETIRED)
    name = f"met-while-{service}-stood-still-{time.monotonic_ns()}"
    door = CallsAtTheDoor(stage.address(service, victim), service, stage.loads[domain], name)
    began_s = time.monotonic()
    process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN_S * AT_THE_DOOR)
        with suppress(TimeoutError):
            async with asyncio.timeout(FROZEN_S * (1 - AT_THE_DOOR)):
                await door.send()
        await asyncio.sleep(max(0.0, began_s + FROZEN_S - time.monotonic()))
    finally:
        process.send_signal(signal.SIGCONT)
    await _note_silence(stage, series, service, hit, began_s)
    for stale in await door.stale():
        series.problem(stale)
    if not await _until(lambda: _has_retired(stage, service, victim, retired + len(hit))):
        series.problem(f"{service} {victim} did not retire after it had stood still")
    await asyncio.to_thread(stage.cluster.wait_until_ready)
    for one, epoch in epochs.items():
        journal = stage.watch.journals[service, stage.partition(one)]
        series.passed_over += journal.ignored[epoch]
    await after_fault(stage, series, before)


async def _has_retired(stage: Stage, service: str, replica: int, times: float) -> bool:
    return await stage.metric(service, replica, RETIRED) >= times


async def kill_broker(run: Run) -> None:
    """`kill -9` of the only broker, and a start after a moment."""
    what = "kill -9 the only broker, start it again"
    with run.series("kill-broker", what, "standstill") as series:
        chance = run.chance(what)
        async with run.stage("broker") as stage:
            assert isinstance(stage.brokers, LocalKafka)
            for number in range(run.fewer):
                await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                before = await stage.lines()
                began_s = time.monotonic()
                stage.brokers.kill()
                await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                await asyncio.to_thread(stage.brokers.start)
                back_s = time.monotonic()
                series.seconds.append(await _standstill(stage, series, began_s, *SERVICES))
                since_s = time.monotonic() - back_s
                series.note(f"away for {back_s - began_s:.1f} s; all served {since_s:.1f} s later")
                await asyncio.to_thread(stage.cluster.wait_until_ready)
                await after_fault(stage, series, before)
                run.say(f"{series.what}: {number + 1} of {run.fewer}, {series.seconds[-1]:.2f} s")
            await at_end(stage, series)


async def kill_leader(run: Run) -> None:
    """Of three brokers, `kill -9` of the one that leads a partition of routing's journal; later it is started again."""
    what = "kill -9 the leader of three brokers"
    with run.series("kill-leader", what, "standstill of routing") as series:
        chance = run.chance(what)
        async with run.stage("leader", brokers=BROKERS) as stage:
            assert isinstance(stage.brokers, LocalKafkaCluster)
            topic = topic_journal("routing")
            async with topics_of(stage.brokers.bootstrap_servers) as topics:
                for number in range(run.fewer):
                    await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                    before = await stage.lines()
                    partition = stage.partition(stage.domains[number % len(stage.domains)])
                    broker = stage.brokers.brokers[await topics.leader(topic, partition) - 1]
                    began_s = time.monotonic()
                    broker.kill()
                    series.seconds.append(await _standstill(stage, series, began_s, *SERVICES))
                    await asyncio.to_thread(broker.start)
                    if not await _until(topics.all_in_sync):
                        series.problem("the broker that came back did not catch up within a minute")
                    await after_fault(stage, series, before)
                    run.say(
                        f"{series.what}: {number + 1} of {run.fewer}, {series.seconds[-1]:.2f} s"
                    )
            await at_end(stage, series)


async def _standstill(stage: Stage, series: Series, began_s: float, *services: str) -> float:
    """Wait until every service answers again, and return how long the slowest of `services` did not."""
    served = [stage.answered(service, stage.domains, began_s) for service in SERVICES]
    for service, answered in zip(SERVICES, await asyncio.gather(*served), strict=True):
        if not answered:
            series.problem(f"{service} did not answer again within a minute")
    silences = {one: stage.silence_s(one, stage.domains, began_s) for one in SERVICES}
    slowest = max(silences, key=lambda one: silences[one])
    series.note(f"{slowest} stood still for longest, {silences[slowest]:.1f} s")
    return max(silences[one] for one in services)


async def _until(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Return once something holds; False when it never does."""
    end_s = time.monotonic() + WITHIN_S
    while not await holds():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.2)
    return True


FAULTS: Final[dict[str, Fault]] = {
    "kill-owner": kill_owner,
    "freeze-owner": freeze_owner,
    "kill-broker": kill_broker,
    "kill-leader": kill_leader,
    "full-disk": full_disk,
}
