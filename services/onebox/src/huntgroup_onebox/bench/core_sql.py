"""Matches a second of routing's core ÷ those of a dispatcher that asks an SQL database who is next, as FreeSWITCH does.

The dispatcher is our own, with the query shapes of mod_callcenter: tables without an index, waiting members sorted by a
computed score, for each of them all agents joined with their tiers and sorted, three updates for a match and three when
the agent is free again. Its database is SQLite in memory, in this process; polling, threads and media are left out, so
it is as quick as its statements. A match is the whole of it on both sides: a caller comes, an agent is found and
answers, and is free again.
"""

import sqlite3
import time
from collections import deque
from contextlib import closing

from huntgroup_onebox.bench.core_work import busy_centre, spend
from huntgroup_onebox.bench.figure import Measured
from huntgroup_onebox.bench.workbench import Workbench

AGENTS = 1_000
IDLE = 100
MATCHES, MATCHES_QUICK = 500, 100
CONTACTS, CONTACTS_QUICK = 20_000, 2_000

SCHEMA = """
CREATE TABLE members (uuid TEXT, queue TEXT, joined INTEGER, base_score INTEGER, skill_score INTEGER,
    state TEXT, serving_agent TEXT);
CREATE TABLE agents (name TEXT, type TEXT, contact TEXT, status TEXT, state TEXT, wrap_up_time INTEGER,
    reject_delay INTEGER, busy_delay INTEGER, last_bridge_start INTEGER, last_bridge_end INTEGER,
    last_offered_call INTEGER, calls_answered INTEGER, talk_time INTEGER, ready_time INTEGER);
CREATE TABLE tiers (queue TEXT, agent TEXT, state TEXT, level INTEGER, position INTEGER);
"""
WAITING = """SELECT uuid, queue, joined, (? - joined) + base_score + skill_score AS score FROM members
    WHERE state = 'Waiting' ORDER BY score DESC"""
AGENTS_OF_QUEUE = """SELECT agents.name, agents.state, agents.status, agents.last_bridge_end, agents.wrap_up_time,
    agents.ready_time, agents.contact, tiers.state, tiers.level, tiers.position
    FROM agents LEFT JOIN tiers ON agents.name = tiers.agent
    WHERE tiers.queue = ? AND (agents.status = 'Available' OR agents.status = 'On Break'
    OR agents.status = 'Available (On Demand)')
    ORDER BY tiers.level, agents.last_bridge_end, tiers.position"""
"""All agents of the queue who are on duty; whether one is free, the loop over the rows looks at."""


def core_sql(bench: Workbench) -> list[Measured]:
    """Measure the two in turn, by CPU time."""
    contacts = CONTACTS_QUICK if bench.quick else CONTACTS
    matches = MATCHES_QUICK if bench.quick else MATCHES
    work = busy_centre(agents=AGENTS, queues=1, busy=0.9, contacts=contacts)
    ratios, rates = [], []
    for _ in range(bench.repeats):
        sql = _sql_matches(matches)
        core = work.contacts / spend(work).seconds
        rates.append((sql, core))
        ratios.append(core / sql)
    sql, core = sorted(rates)[len(rates) // 2]
    bench.say(f"core-sql-ratio: SQL {sql:,.0f}, core {core:,.0f} matches/s")
    return [
        Measured(
            name="core-sql-ratio",
            repeats=ratios,
            baseline=f"SQL {sql:,.0f} matches/s, the core {core:,.0f}; {AGENTS:,} agents, 90 % busy",
            client=f"none: CPU time of one process; SQLite {sqlite3.sqlite_version} in memory, no index",
        )
    ]


def _sql_matches(matches: int) -> float:
    """Return how many matches a second the database makes with `IDLE` of the agents idle."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.executescript(SCHEMA)
        database.executemany(
            "INSERT INTO agents VALUES (?,'callback','sip','Available',?,0,0,0,0,?,0,0,0,0)",
            [
                (f"agent-{one}", "Waiting" if one < IDLE else "In a queue call", one)
                for one in range(AGENTS)
            ],
        )
        database.executemany(
            "INSERT INTO tiers VALUES ('sales',?,?,1,1)",
            [
                (f"agent-{one}", "Ready" if one < IDLE else "Active Inbound")
                for one in range(AGENTS)
            ],
        )
        serving = deque((f"agent-{one}", f"gone-{one}") for one in range(IDLE, AGENTS))
        begun_s = time.process_time()
        for number in range(matches):
            _come(database, number)
            serving.extend(_dispatch(database, number))
            _free(database, *serving.popleft(), number)
        return matches / (time.process_time() - begun_s)


def _come(database: sqlite3.Connection, now: int) -> None:
    values = (f"caller-{now}", now)
    database.execute("INSERT INTO members VALUES (?,'sales',?,0,0,'Waiting','')", values)


def _dispatch(database: sqlite3.Connection, now: int) -> list[tuple[str, str]]:
    """Go through the waiting members once."""
    served = []
    for uuid, queue, _, _ in database.execute(WAITING, (now,)).fetchall():
        rows = database.execute(AGENTS_OF_QUEUE, (queue,))
        agent = next((str(found[0]) for found in rows if found[1] == "Waiting"), None)
        rows.close()
        if agent is None:
            continue
        change = database.execute
        change("UPDATE members SET serving_agent=?, state='Trying' WHERE uuid=?", (agent, uuid))
        change(
            "UPDATE agents SET state='Receiving', last_offered_call=?, last_bridge_start=?"
            " WHERE name=? AND state='Waiting'",
            (now, now, agent),
        )
        change("UPDATE tiers SET state='Active Inbound' WHERE agent=? AND queue=?", (agent, queue))
        served.append((agent, str(uuid)))
    return served


def _free(database: sqlite3.Connection, agent: str, uuid: str, now: int) -> None:
    change = database.execute
    change(
        "UPDATE agents SET state='Waiting', last_bridge_end=?, calls_answered=calls_answered+1,"
        " talk_time=talk_time+1 WHERE name=?",
        (now, agent),
    )
    change("UPDATE tiers SET state='Ready' WHERE agent=? AND queue='sales'", (agent,))
    change("DELETE FROM members WHERE uuid=?", (uuid,))
