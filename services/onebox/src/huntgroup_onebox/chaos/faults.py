"""The faults, each injected again and again into a cluster of its own."""

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from huntgroup_contracts.registry import topic_journal
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.broker_topics import BrokerTopics, topics_of
from huntgroup_onebox.chaos.checks import after_fault, at_end
from huntgroup_onebox.chaos.full_disk import full_disk
from huntgroup_onebox.chaos.patience import WITHIN_S, comes
from huntgroup_onebox.chaos.results import Series
from huntgroup_onebox.chaos.run import MOMENT_S_MAX, Run
from huntgroup_onebox.chaos.stage import Stage
from huntgroup_onebox.chaos.zombie import CallsAtTheDoor
from huntgroup_runtime.local_kafka import LocalKafka, LocalKafkaCluster

FROZEN_S: Final = 10.0
FROZEN_AGAIN_MAX: Final = 3
UNREAD_S: Final = 0.7
"""So long the broker stands still when a frozen owner runs again: more than its heartbeats, less than standbys wait."""
BROKERS: Final = 3
IGNORED: Final = "huntgroup_journal_ignored_total"
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
    await _end_once(stage, series, service, domain, signal.SIGKILL)


async def stop_owner(run: Run) -> None:
    """SIGTERM of the process that owns a domain, as for an upgrade, and a start, of each service."""
    what = "SIGTERM the owner, start it again, of each service"
    with run.series("stop-owner", what) as series:
        chance = run.chance(what)
        async with run.stage("stop") as stage:
            for number in range(run.fewer):
                for service in run.services:
                    await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                    domain = stage.domains[number % len(stage.domains)]
                    await stop_once(stage, series, service, domain)
                    told = f"{service}, {number + 1} of {run.fewer}, {series.seconds[-1]:.2f} s"
                    run.say(f"{series.what}: {told}")
            await at_end(stage, series)


async def stop_once(stage: Stage, series: Series, service: str, domain: str) -> None:
    """Have the process that owns a domain stop, start it again, and look for harm."""
    await _end_once(stage, series, service, domain, signal.SIGTERM)


async def _end_once(
    stage: Stage, series: Series, service: str, domain: str, how: signal.Signals
) -> None:
    """End the process that owns a domain by a signal, start it again, and look for harm."""
    before = await stage.lines()
    victim = stage.owner(service, domain)
    hit, process = stage.owned(service, victim), stage.process(service, victim)
    began_s = time.monotonic()
    process.send_signal(how)
    try:
        await asyncio.to_thread(process.wait, WITHIN_S)
    except subprocess.TimeoutExpired:
        series.problem(f"{service} {victim} did not end within a minute of {how.name}")
        process.kill()
    if process.wait() != (0 if how is signal.SIGTERM else -how):
        series.problem(f"{service} {victim} ended with {process.returncode} after {how.name}")
    # Until it ended, the one that stops may have answered itself.
    await _note_silence(stage, series, service, hit, began_s, answered_from_s=time.monotonic())
    again = asyncio.create_task(stage.start_again(service, victim))
    await after_fault(stage, series, before)
    await again


async def _note_silence(
    stage: Stage,
    series: Series,
    service: str,
    domains: list[str],
    began_s: float,
    *,
    answered_from_s: float,
) -> None:
    """Wait until clients are answered after a moment, and note how long at a time they were not since it began."""
    if not await stage.answered(service, domains, answered_from_s):
        series.problem(f"{service} did not answer again within a minute")
    series.seconds.append(stage.silence_s(service, domains, began_s))


async def freeze_owner(run: Run) -> None:
    """SIGSTOP of the process that owns a domain for ten seconds, then SIGCONT: it must retire."""
    with run.series("freeze-owner", "SIGSTOP the owner for 10 s, of each service") as series:
        chance = run.chance(series.what)
        async with run.stage("freeze") as stage:
            for service in run.services:
                await _freeze_owner_of(run, stage, series, service, chance)
            series.note(f"{series.passed_over} records that frozen owners wrote late do not count")
            await at_end(stage, series)


async def _freeze_owner_of(
    run: Run, stage: Stage, series: Series, service: str, chance: random.Random
) -> None:
    """Freeze as often as asked for, and again when no frozen owner wrote anything that had to be refused."""
    before = series.passed_over
    for number in range(run.rarely + FROZEN_AGAIN_MAX):
        if number >= run.rarely and series.passed_over > before:
            return
        await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
        await freeze_once(stage, series, service, stage.domains[number % len(stage.domains)])
        run.say(
            f"{series.what}: {service}, {number + 1} of {run.rarely}, {series.seconds[-1]:.2f} s"
        )
    if series.passed_over == before:
        series.problem(f"no frozen {service} wrote anything late: nothing was proven of it")


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
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                await asyncio.gather(door.send(), asyncio.sleep(FROZEN_S))
        await _note_silence(stage, series, service, hit, began_s, answered_from_s=began_s)
        ignored = await stage.metric(service, 1 - victim, IGNORED)
    finally:
        await _let_it_write(stage, service, victim)
    for stale in await door.stale():
        series.problem(stale)
    if not await comes(lambda: _has_grown(stage, service, victim, RETIRED, retired + len(hit))):
        series.problem(f"{service} {victim} did not retire after it had stood still")
    await asyncio.to_thread(stage.cluster.wait_until_ready)
    await stage.watch.caught_up()
    late = sum(
        stage.watch.journals[service, stage.partition(one)].ignored[epoch]
        for one, epoch in epochs.items()
    )
    series.passed_over += late
    if not await comes(lambda: _has_grown(stage, service, 1 - victim, IGNORED, ignored + late)):
        series.problem(f"{service} {1 - victim} did not count {late} records of the frozen owner")
    await after_fault(stage, series, before)


async def _let_it_write(stage: Stage, service: str, victim: int) -> None:
    """SIGCONT, while the broker stands still: what the owner decides before it can read of its successor is real."""
    assert isinstance(stage.brokers, LocalKafka)
    await asyncio.to_thread(stage.brokers.pause)
    try:
        stage.process(service, victim).send_signal(signal.SIGCONT)
        await asyncio.sleep(UNREAD_S)
    finally:
        stage.brokers.resume()


async def _has_grown(stage: Stage, service: str, replica: int, metric: str, to: float) -> bool:
    return await stage.metric(service, replica, metric) >= to


async def kill_broker(run: Run) -> None:
    """`kill -9` of the only broker, and a start after a moment."""
    what = "kill -9 the only broker, start it again"
    with run.series("kill-broker", what, "standstill") as series:
        chance = run.chance(what)
        async with run.stage("broker") as stage:
            for number in range(run.fewer):
                await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                await kill_broker_once(stage, series, chance.uniform(0, MOMENT_S_MAX))
                run.say(f"{series.what}: {number + 1} of {run.fewer}, {series.seconds[-1]:.2f} s")
            await at_end(stage, series)


async def kill_broker_once(stage: Stage, series: Series, away_s: float) -> None:
    """Kill the only broker, start it again after `away_s`, and look for harm."""
    assert isinstance(stage.brokers, LocalKafka)
    before = await stage.lines()
    began_s = time.monotonic()
    stage.brokers.kill()
    await asyncio.sleep(away_s)
    await asyncio.to_thread(stage.brokers.start)
    back_s = time.monotonic()
    series.seconds.append(max((await _standstills(stage, series, began_s)).values()))
    since_s = time.monotonic() - back_s
    series.note(f"away for {back_s - began_s:.1f} s; all served {since_s:.1f} s later")
    await asyncio.to_thread(stage.cluster.wait_until_ready)
    await after_fault(stage, series, before)


async def kill_leader(run: Run) -> None:
    """Of three brokers, `kill -9` of the one that leads a partition of routing's journal; later it is started again."""
    what = "kill -9 the leader of three brokers"
    with run.series("kill-leader", what, "standstill") as series:
        chance = run.chance(what)
        async with run.stage("leader", brokers=BROKERS) as stage:
            async with topics_of(stage.brokers.bootstrap_servers) as topics:
                for number in range(run.fewer):
                    await asyncio.sleep(chance.uniform(0, MOMENT_S_MAX))
                    domain = stage.domains[number % len(stage.domains)]
                    await kill_leader_once(stage, series, topics, domain)
                    told = f"{series.seconds[-1]:.2f} s"
                    run.say(f"{series.what}: {number + 1} of {run.fewer}, {told}")
            await at_end(stage, series)


async def kill_leader_once(stage: Stage, series: Series, topics: BrokerTopics, domain: str) -> None:
    """Kill the broker that leads a domain's partition of routing's journal, start it again, and look for harm."""
    assert isinstance(stage.brokers, LocalKafkaCluster)
    before = await stage.lines()
    leader = await topics.leader(topic_journal("routing"), stage.partition(domain))
    broker = stage.brokers.brokers[leader - 1]
    began_s = time.monotonic()
    broker.kill()
    standstills = await _standstills(stage, series, began_s)
    series.seconds.append(max(standstills.values()))
    series.note(", ".join(f"{service} {one:.1f} s" for service, one in standstills.items()))
    await asyncio.to_thread(broker.start)
    if not await comes(topics.all_in_sync):
        series.problem("the broker that came back did not catch up within a minute")
    await after_fault(stage, series, before)


async def _standstills(stage: Stage, series: Series, began_s: float) -> dict[str, float]:
    """Wait until every service answers again, and return for how long each did not, in seconds."""
    served = [stage.answered(service, stage.domains, began_s) for service in SERVICES]
    for service, answered in zip(SERVICES, await asyncio.gather(*served), strict=True):
        if not answered:
            series.problem(f"{service} did not answer again within a minute")
    return {one: stage.silence_s(one, stage.domains, began_s) for one in SERVICES}


FAULTS: Final[dict[str, Fault]] = {
    "kill-owner": kill_owner,
    "stop-owner": stop_owner,
    "freeze-owner": freeze_owner,
    "kill-broker": kill_broker,
    "kill-leader": kill_leader,
    "full-disk": full_disk,
}
