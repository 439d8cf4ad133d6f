"""Matches a second of routing's core ÷ those of a dispatcher that asks an SQL database who is next, as FreeSWITCH does.

Both are given the same centre: the same callers at the same times, who talk as long. The dispatcher is our own, after
what mod_callcenter does: tables without an index; ten times a second all callers who wait are asked for in the order
of a computed score, and for each of them all agents of the queue, joined with their tiers and sorted, until one is
found who is free; 16 statements more take a caller through a call. A caller stays in the table until hanging up. As
there, every statement is new text with its values in it. Polling is part of it: a round that finds nobody is made, too.

The database is SQLite in memory, in this process; threads, events and media are left out, so it is as quick as its
statements. What is compared is the CPU time that both take for a match: while a tenth as many callers wait as there are
agents, which is when a centre needs a dispatcher, and while nobody waits for long.
"""

import heapq
import sqlite3
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median

from huntgroup_onebox.bench.core_work import (
    AHT_S,
    DOMAIN,
    Work,
    apply,
    backlog,
    busy_centre,
    spend,
)
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench
from huntgroup_routing.core.messages import (
    ObserveAgentReleased,
    ObserveAgentSignedOn,
    ObserveContactQueued,
    OfferAccepted,
)
from huntgroup_routing.core.state import initial

AGENTS, QUEUES = 1_000, 20
MATCHES, MATCHES_QUICK = 1_000, 100
CONTACTS, CONTACTS_QUICK = 20_000, 2_000
CROWD = 100
ROUND_MS = 100
AHT_MS = int(AHT_S * 1_000)

SCHEMA = """
CREATE TABLE members (queue TEXT, uuid TEXT, joined INTEGER, bridged INTEGER, base_score INTEGER,
    skill_score INTEGER, serving_agent TEXT, state TEXT);
CREATE TABLE agents (name TEXT, type TEXT, contact TEXT, status TEXT, state TEXT, wrap_up_time INTEGER,
    reject_delay INTEGER, busy_delay INTEGER, last_bridge_start INTEGER, last_bridge_end INTEGER,
    last_offered_call INTEGER, calls_answered INTEGER, talk_time INTEGER, ready_time INTEGER);
CREATE TABLE tiers (queue TEXT, agent TEXT, state TEXT, level INTEGER, position INTEGER);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A caller: when they come, where to, and how long an agent is with them."""

    at_ms: int
    queue: str
    handle_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A centre in its stride, and the calls that come from then on."""

    queues_of: Mapping[str, Sequence[str]]
    """The queues of every agent: skills have their names."""
    busy: Sequence[tuple[int, str, str]]
    """Until when an agent is busy with a call, and of which queue."""
    calls: Sequence[Call]


def core_sql(bench: Workbench) -> list[Measured]:
    """Measure the two in turn, by CPU time."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    matches = MATCHES_QUICK if bench.quick else MATCHES
    work = busy_centre(agents=AGENTS, queues=QUEUES, busy=0.9, contacts=contacts)
    traffic = traffic_of(work, matches)
    behind = backlog(waiting=CROWD, agents=AGENTS, queues=QUEUES, contacts=contacts)
    crowded, few = crowd(traffic, CROWD), matches // 20
    return [
        _compared(bench, "core-sql-ratio", (behind, crowded, few), f"{CROWD} wait"),
        _compared(
            bench, "core-sql-ratio-idle", (work, traffic, matches), "90 % busy, nobody waits"
        ),
    ]


def _compared(bench: Workbench, name: str, both: tuple[Work, Traffic, int], when: str) -> Measured:
    """Measure one in turn with the other: the core's work, the dispatcher's calls, and how many of them."""
    work, traffic, matches = both
    rates = [
        (_matches_per_s(traffic, matches), work.contacts / spend(work).seconds)
        for _ in range(bench.repeats)
    ]
    sql, core = median(one for one, _ in rates), median(one for _, one in rates)
    bench.say(f"{name}: SQL {sql:,.0f}, core {core:,.0f} matches/s")
    return Measured(
        name=name,
        repeats=[ours / theirs for theirs, ours in rates],
        baseline=f"SQL {sql:,.0f} matches/s, the core {core:,.0f}; {AGENTS:,} agents, {when}",
        client=f"none: CPU time of one process; SQLite {sqlite3.sqlite_version} in memory, no index",
    )


def _matches_per_s(traffic: Traffic, matches: int) -> float:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        return matches / Dispatcher(database, traffic).serve(matches)


def crowd(traffic: Traffic, count: int) -> Traffic:
    """Return the same where so many wait already, with all agents busy at first."""
    first = traffic.calls[0]
    idle = traffic.queues_of.keys() - {agent for _, agent, _ in traffic.busy}
    busy = [(first.at_ms + AHT_MS, agent, first.queue) for agent in sorted(idle)]
    calls = [replace(one, at_ms=first.at_ms) for one in traffic.calls[:count]]
    return replace(traffic, busy=[*traffic.busy, *busy], calls=[*calls, *traffic.calls[count:]])


def traffic_of(work: Work, matches: int) -> Traffic:
    """Return what the core was told as callers and agents would tell it; all talk as long as in its play."""
    state, begin_ms = initial(DOMAIN), work.timed[0][0]
    came: list[tuple[int, ObserveContactQueued]] = []
    answered: dict[str, tuple[int, OfferAccepted]] = {}
    ended: dict[str, int] = {}
    queues_of: dict[str, tuple[str, ...]] = {}
    for at_ms, command in (*work.before, *work.timed):
        if isinstance(command, ObserveAgentSignedOn):
            queues_of[command.agent_id] = command.skills
        elif isinstance(command, ObserveContactQueued):
            came.append((at_ms, command))
        elif isinstance(command, ObserveAgentReleased):
            ended[command.offer_id] = at_ms
        for event in apply(state, command, at_ms):
            if isinstance(event, OfferAccepted):
                answered[event.contact_id] = (at_ms, event)
    busy = [
        (ended.get(one.offer_id, at_ms + AHT_MS), one.agent_id, one.queue_id)
        for at_ms, one in answered.values()
        if at_ms < begin_ms <= ended.get(one.offer_id, at_ms + AHT_MS)
    ]
    coming = [(at_ms, one) for at_ms, one in came if at_ms >= begin_ms][: 2 * matches]
    calls = [
        Call(at_ms=at_ms, queue=one.queue_id, handle_ms=_handle_ms(answered, ended, one.contact_id))
        for at_ms, one in coming
    ]
    return Traffic(queues_of=queues_of, busy=busy, calls=calls)


def _handle_ms(
    answered: Mapping[str, tuple[int, OfferAccepted]], ended: Mapping[str, int], contact_id: str
) -> int:
    at_ms, accepted = answered.get(contact_id, (0, None))
    return AHT_MS if accepted is None else ended.get(accepted.offer_id, at_ms + AHT_MS) - at_ms


class Dispatcher:
    """The database, and the only thread that looks for agents."""

    def __init__(self, database: sqlite3.Connection, traffic: Traffic) -> None:
        self._do = database.execute
        self._callers = 0
        self._calls = traffic.calls
        self._on_the_phone: list[tuple[int, str, str, str]] = []
        """Until when, with whom, of which queue, and which agent."""
        database.executescript(SCHEMA)
        database.executemany(
            "INSERT INTO agents VALUES (?,'callback','sip','Available','Waiting',0,0,0,0,?,?,0,0,0)",
            [(agent, -number, -number) for number, agent in enumerate(traffic.queues_of)],
        )
        database.executemany(
            "INSERT INTO tiers VALUES (?,?,'Ready',1,1)",
            [(queue, agent) for agent, queues in traffic.queues_of.items() for queue in queues],
        )
        now = traffic.calls[0].at_ms // 1_000
        for until_ms, agent, queue in traffic.busy:
            uuid = self._join(queue, now)
            self._offer(uuid, agent, queue, now)
            self._answer(uuid, agent, queue, now)
            heapq.heappush(self._on_the_phone, (until_ms, uuid, queue, agent))

    def serve(self, matches: int) -> float:
        """Return the CPU seconds that so many matches take."""
        calls, waiting = deque(self._calls), dict[str, int]()
        now_ms = calls[0].at_ms
        begun_s = time.process_time()
        while matches > 0:
            now_ms += ROUND_MS
            while calls[0].at_ms <= now_ms:
                call = calls.popleft()
                waiting[self._join(call.queue, call.at_ms // 1_000)] = call.handle_ms
            while self._on_the_phone[0][0] <= now_ms:
                until_ms, uuid, queue, agent = heapq.heappop(self._on_the_phone)
                self._hang_up(uuid, agent, queue, until_ms // 1_000)
            for uuid, queue, agent in self._round(now_ms // 1_000):
                self._answer(uuid, agent, queue, now_ms // 1_000)
                entry = (now_ms + waiting.pop(uuid), uuid, queue, agent)
                heapq.heappush(self._on_the_phone, entry)
                matches -= 1
        return time.process_time() - begun_s

    def _join(self, queue: str, now: int) -> str:
        self._callers += 1
        uuid = f"caller-{self._callers}"
        self._do(f"INSERT INTO members VALUES ('{queue}','{uuid}',{now},0,0,0,'','Waiting')")
        return uuid

    def _round(self, now: int) -> list[tuple[str, str, str]]:
        """Go through all who wait once."""
        found = []
        rows = self._do(
            f"SELECT queue, uuid, joined, ({now} - joined) + base_score + skill_score AS score, state FROM members"
            " WHERE state = 'Waiting' OR state = 'Abandoned' OR (serving_agent = 'ring-all' AND state = 'Trying')"
            " ORDER BY score DESC"
        ).fetchall()
        for queue, uuid, *_ in rows:
            agent = self._find(queue, now)
            if agent is not None:
                self._offer(uuid, agent, queue, now)
                found.append((uuid, queue, agent))
        return found

    def _find(self, queue: str, now: int) -> str | None:
        """Return the first agent on duty who is free; that, the loop over the rows looks at."""
        rows = self._do(
            "SELECT agents.name, agents.state, tiers.state, agents.last_bridge_end, agents.wrap_up_time,"
            " agents.ready_time, agents.status, agents.contact, agents.type, agents.reject_delay, agents.busy_delay,"
            " tiers.position, tiers.level FROM agents LEFT JOIN tiers ON (agents.name = tiers.agent)"
            f" WHERE tiers.queue = '{queue}' AND (agents.status = 'Available' OR agents.status = 'On Break' OR"
            " agents.status = 'Available (On Demand)')"
            " ORDER BY level, agents.last_offered_call, position"
        )
        for name, state, tier, last_end, wrap_up, ready, *_ in rows:
            if (
                state == "Waiting"
                and tier in {"Ready", "No Answer"}
                and last_end < now - wrap_up
                and ready <= now
            ):
                rows.close()
                return str(name)
        return None

    def _offer(self, uuid: str, agent: str, queue: str, now: int) -> None:
        self._do(
            f"UPDATE members SET serving_agent = '{agent}', state = 'Trying'"
            f" WHERE state = 'Waiting' AND uuid = '{uuid}'"
        )
        self._do(
            f"SELECT count(*) FROM members WHERE serving_agent = '{agent}' AND uuid = '{uuid}'"
        ).fetchone()
        self._agent_state(agent, f"state = 'Receiving', last_offered_call = {now}")
        self._do(
            f"UPDATE tiers SET state = 'Offering' WHERE agent = '{agent}' AND queue = '{queue}'"
        )
        self._do(
            f"UPDATE tiers SET state = 'Standby' WHERE agent = '{agent}' AND NOT queue = '{queue}'"
            " AND state = 'Ready'"
        )

    def _answer(self, uuid: str, agent: str, queue: str, now: int) -> None:
        self._do(
            f"UPDATE agents SET last_bridge_start = {now}, calls_answered = calls_answered + 1"
            f" WHERE name = '{agent}'"
        )
        self._do(
            f"SELECT count(*) FROM tiers WHERE queue = '{queue}' AND agent = '{agent}'"
        ).fetchone()
        self._do(
            f"UPDATE tiers SET state = 'Active Inbound' WHERE queue = '{queue}' AND agent = '{agent}'"
        )
        self._agent_state(agent, "state = 'In a queue call'")
        self._do(f"UPDATE members SET state = 'Answered', bridged = {now} WHERE uuid = '{uuid}'")

    def _hang_up(self, uuid: str, agent: str, queue: str, now: int) -> None:
        self._do(
            f"UPDATE agents SET last_bridge_end = {now}, talk_time = talk_time + ({now} - last_bridge_start)"
            f" WHERE name = '{agent}'"
        )
        self._do(f"DELETE FROM members WHERE uuid = '{uuid}'")
        self._do(
            f"UPDATE tiers SET state = 'Ready' WHERE agent = '{agent}' AND queue = '{queue}' AND"
            " (state = 'Active Inbound' OR state = 'Standby' OR state = 'Offering')"
        )
        self._do(
            f"UPDATE tiers SET state = 'Ready' WHERE agent = '{agent}' AND NOT queue = '{queue}'"
            " AND state = 'Standby'"
        )
        self._agent_state(agent, "state = 'Waiting'")

    def _agent_state(self, agent: str, change: str) -> None:
        self._do(f"SELECT count(*) FROM agents WHERE name = '{agent}'").fetchone()
        self._do(f"UPDATE agents SET {change} WHERE name = '{agent}'")
