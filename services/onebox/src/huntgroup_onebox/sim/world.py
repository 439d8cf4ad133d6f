"""One story: the cluster, its people and its faults, from the plan to the verdict."""

import asyncio
import random
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from huntgroup_eventlog.adapters.memory import Faults, MemoryLog, MemoryPartitions
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.replica import Replica as ReplicaOfJournal
from huntgroup_eventlog.journal.replica import Role
from huntgroup_onebox.audit import audit
from huntgroup_onebox.audit.offers import EPSILON_MS
from huntgroup_onebox.sim.actors import AgentAtWork
from huntgroup_onebox.sim.books import Books, ViolationError
from huntgroup_onebox.sim.callers import call, contact_id_of, look_at_newest, start_and_hang_up
from huntgroup_onebox.sim.client import Client
from huntgroup_onebox.sim.cluster import Cluster
from huntgroup_onebox.sim.codes import INTERVAL_MS, todays, upgraded
from huntgroup_onebox.sim.faults import Mischief
from huntgroup_onebox.sim.listener import listen
from huntgroup_onebox.sim.onlooker import PARTITION, Onlooker
from huntgroup_onebox.sim.plan import ACME, GLOBEX, Agent, Caller, Fault, Plan
from huntgroup_onebox.sim.seeded_loop import Node, SeededLoop, node_of_this_task
from huntgroup_onebox.sim.settling import Settling
from huntgroup_onebox.sim.sim_log import Broker
from huntgroup_onebox.sim.supervisors import supervise
from huntgroup_onebox.sim.verdict import Line, Mode, Verdict
from huntgroup_onebox.sim.weather import Weather

SETTLES_WITHIN_S: Final = 120.0
"""After everything is healed, whatever must happen by itself happens within this time."""
WATCH_EVERY_S: Final = 2.0
STEPS_MIN: Final = 400
OPENS_S: Final = 1.0
"""Before that nobody calls."""
NEXT_REGULAR_S: Final = 0.3
CROWD: Final = 15
"""When so many wait for an answer or are still to come, no regular comes: it would be turned away, time and again."""
OVERTIME_S_MAX: Final = 30.0
READ_WITHIN_S: Final = 0.005


class World:
    """Everything of one story."""

    def __init__(self, plan: Plan, mode: Mode) -> None:
        self._plan = plan
        self._mode = mode
        self._lines: list[Line] = []
        self._violation: Exception | None = None
        self._closing = asyncio.Event()
        """Set when nobody hangs up any more: whoever waits is served."""
        # The services spread their retries by the interpreter's own chance.
        random.seed(f"services {plan.seed}")
        self.loop = SeededLoop()
        self.weather = Weather(chance=random.Random(f"weather {plan.seed}"))  # noqa: S311
        faults = Faults(seed=plan.seed, **dict(plan.log_faults))
        self.storage = MemoryPartitions(1, faults)
        self.mischief = Mischief(self._tell)
        broker = Broker(self.storage, self.loop, self.weather)
        self.cluster = Cluster(
            self.loop,
            broker,
            self.weather,
            replicas_each=plan.replicas_each,
            moment=self.mischief.moment,
            taken=self._snapshot_taken,
            failed=self._fail,
        )
        self.cluster.network.before_reply = lambda node: self.mischief.moment(node, "before reply")
        self.books = {domain: _books(plan, domain) for domain in (ACME, GLOBEX)}
        upgrades = any(one.kind == "upgrade" for one in plan.faults)
        codes = {
            name: [one, upgraded(one)] if upgrades else [one] for name, one in todays().items()
        }
        self.onlooker = Onlooker(
            broker,
            codes,
            self.books,
            told=self._tell,
            failed=self._fail,
            compare=self._compare_soon,
        )
        self._settling = Settling(self.cluster, self.onlooker, self.books)
        callers = (*plan.callers, *plan.regulars)
        self._talks = {contact_id_of(one): one.talk_s for one in callers}
        self.agents = {one.name: self._agent(one) for one in plan.agents}
        self.mischief.begin(self.cluster, self.agents, self._flood)
        self._callers_left = len(plan.callers)
        self._steps_before = 0
        """What happened until it was healed."""
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> Verdict:
        """Play; never raises for what is wrong in the story."""
        asyncio.set_event_loop(None)
        try:
            self.loop.run_until_complete(self._story())
        except Exception as error:  # noqa: BLE001 - whatever ended the story is its verdict
            self._violation = self._violation or error
        return Verdict(
            plan=self._plan,
            mode=self._mode,
            violation=_words(self._violation),
            steps=self._steps_before or self._steps(),
            digest=self._digest(),
            lines=self._lines,
            counts=self.onlooker.counts + self.storage.injected + self.mischief.struck,
        )

    # The story.

    async def _story(self) -> None:
        for replica in self.cluster.replicas:
            self.loop.call_in_world(self.weather.chance.uniform(0.0, 0.3), replica.start)
        for domain in (ACME, GLOBEX):
            self._person("supervisor", domain, lambda client: supervise(client, self._closing))
        self._person("wallboard", ACME, lambda client: look_at_newest(client, self._closing))
        self._callers_left += 1
        self._person("listener", ACME, self._listen)
        for caller in self._plan.callers:
            self.loop.call_in_world(caller.at_s, self._begin_caller, caller)
        for agent in self._plan.agents:
            self.loop.call_in_world(agent.at_s, self._begin_agent, agent)
        for fault in self._plan.faults:
            self.loop.call_in_world(fault.at_s, self.mischief.strike, fault)
        watching = self.loop.create_task(self._watch())
        await self._let_happen()
        self._steps_before = self._steps()
        if self._mode == "liveness":
            self._heal()
            await self._settle()
        watching.cancel()
        self._check_tasks()
        self._check_bounds()
        for replica in self.cluster.replicas:
            self.loop.kill(replica.node)
        if wrong := self._settling.stored_otherwise():
            raise ViolationError(wrong)
        await self._audit()

    async def _let_happen(self) -> None:
        """Pass the time in which things go wrong; regulars call when too little happens for a story."""
        regulars, ends_s = iter(self._plan.regulars), self._plan.lasts_s
        while (now_s := self.loop.time()) < ends_s or self._steps() < STEPS_MIN:
            pace = (now_s - OPENS_S) / (ends_s - OPENS_S)
            if now_s > ends_s + OVERTIME_S_MAX:
                return
            if self._steps() < STEPS_MIN * pace and self._callers_left < CROWD:
                for caller in islice(regulars, 1):
                    self._callers_left += 1
                    self._begin_caller(caller)
            await self._wait(NEXT_REGULAR_S)

    async def _wait(self, for_s: float) -> None:
        ends_s = self.loop.time() + for_s
        while self.loop.time() < ends_s:
            await asyncio.sleep(min(0.1, ends_s - self.loop.time() + 1e-6))
            self._stop_if_violated()

    def _heal(self) -> None:
        """Heal everything, and serve whoever waits."""
        self._tell("world", "heals", "")
        self.mischief.heal()
        self.storage.faults = Faults(seed=0)
        for topic in self.storage.topics():
            self.storage.deliver_late(topic, PARTITION)
        self._closing.set()
        for agent in self.agents.values():
            agent.serves = True

    async def _settle(self) -> None:
        """See that nobody and nothing is left behind."""
        ends_s = self.loop.time() + SETTLES_WITHIN_S
        while left := self._left_behind():
            if self.loop.time() > ends_s:
                raise ViolationError(f"{SETTLES_WITHIN_S:.0f} s after the healing: {left}")
            await self._wait(0.5)

    def _left_behind(self) -> str:
        if self._callers_left:
            return f"{self._callers_left} callers wait for an answer"
        return self._settling.left_behind()

    async def _audit(self) -> None:
        """Hold the whole log against every invariant once more, as `huntgroup verify` does."""
        self.storage.faults = Faults(seed=0)
        behind_ms, ahead_ms = self.onlooker.skew_ms
        # Log time stands still while nobody owns, and jumps with the clocks of owners: only what it did counts.
        stood_ms = round(sum(one.for_s for one in self._plan.faults) * 1_000)
        epsilon_ms = EPSILON_MS + stood_ms + ahead_ms - behind_ms
        report = await audit(
            MemoryLog(1, storage=self.storage),
            vault=self.cluster.vault,
            acked=self.onlooker.acknowledged,
            ended=self._mode == "liveness",
            interval_ms=INTERVAL_MS,
            applications=todays(),
            epsilon_ms=epsilon_ms,
            missing_ms=EPSILON_MS if self._mode == "liveness" else epsilon_ms,
        )
        # In the midst of a story the relays have not come to their end.
        found = [
            str(one)
            for one in report.violations
            if self._mode == "liveness" or "comes in its turn" not in str(one)
        ]
        if found:
            raise ViolationError("; ".join(found[:3]))

    # People.

    def _agent(self, agent: Agent) -> AgentAtWork:
        chance = random.Random(f"{self._plan.seed} {agent.name}")  # noqa: S311
        client = Client(Node(agent.name), self.cluster, self.onlooker, chance, agent.domain)
        return AgentAtWork(
            client, agent, lambda contact_id: self._talks.get(contact_id, 0.5), self._fail
        )

    def _begin_agent(self, agent: Agent) -> None:
        at_work = self.agents[agent.name]
        self._run_on(at_work.node, at_work.work())

    def _begin_caller(self, caller: Caller) -> None:
        async def calls(client: Client) -> None:
            await call(client, caller, self._closing)
            self._callers_left -= 1

        self._person(caller.name, caller.domain, calls)

    async def _listen(self, client: Client) -> None:
        await listen(client, lambda: self.books[ACME].sealed, self._closing)
        self._callers_left -= 1

    def _flood(self, fault: Fault) -> None:
        """Let many callers come at once, who hang up as soon as they are heard."""

        async def comes(client: Client) -> None:
            await start_and_hang_up(client, f"flood-{client.node.name.replace(' ', '-')}")
            self._callers_left -= 1

        self._callers_left += fault.amount
        for number in range(fault.amount):
            self._person(f"caller {fault.name} {number}", ACME, comes)

    def _person(self, name: str, domain: str, does: Any) -> None:
        chance = random.Random(f"{self._plan.seed} {name} {domain}")  # noqa: S311
        node = Node(f"{name} of {domain.partition('/')[0]}")
        client = Client(node, self.cluster, self.onlooker, chance, domain)
        self._run_on(node, does(client))

    def _run_on(self, node: Node, work: Any) -> None:
        def begin() -> None:
            task = self.loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._person_done)

        self.loop.call_on(node, 0.0, begin)

    def _person_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    # What is watched.

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self._check_tasks()
            self._check_bounds()

    def _check_tasks(self) -> None:
        for fault in self.loop.faults[:1]:
            told = f"{fault.get('message')} {fault.get('exception')!r}"
            self._fail(ViolationError(f"a callback failed: {told}"))
        for who, error in self.loop.failed_unheard():
            self._fail(ViolationError(f"a task of {who} failed, and nobody heard: {error!r}"))

    def _check_bounds(self) -> None:
        for one in self._replicas():
            if one.role is Role.HALTED:
                self._fail(ViolationError(f"{one.owner} is halted"))
            self._guard(self.onlooker.check_replica, one)
            asked = sum(isinstance(each, Submission) for each in one.decider.inputs)
            in_flight = len(one.decider.pending)
            # The one that was open when the bound was reached goes out, too.
            in_flight_max = one.limits.batches_in_flight_max + 1
            if asked > one.limits.inputs_waiting_max or in_flight > in_flight_max:
                held = f"{asked} commands that wait, {in_flight} batches in flight"
                self._fail(ViolationError(f"10: {one.owner} holds {held}"))

    def _replicas(self, service: str = "") -> Iterator[ReplicaOfJournal]:
        """Yield the replicas that run, of one service or of all."""
        for replica in self.cluster.replicas:
            if replica.role is not None and service in ("", replica.service):
                assert replica.journals is not None
                yield replica.journals.partitions[PARTITION].replica

    def _compare_soon(self, service: str) -> None:
        """Hold replicas against the truth when they may have read what has just come in."""

        def compare() -> None:
            for one in self._replicas(service):
                self._guard(self.onlooker.check_replica, one)

        self.loop.call_in_world(READ_WITHIN_S, compare)

    def _snapshot_taken(
        self, node: Node, service: str, partition: int, position: int, dumped: bytes
    ) -> None:
        del node, partition, position
        self._guard(self.onlooker.check_snapshot, service, dumped)

    def _guard(self, check: Any, *args: Any) -> None:
        try:
            check(*args)
        except Exception as error:  # noqa: BLE001 - a violation, or a bug of the check: both end the story
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._violation is None:
            assert isinstance(error, Exception)
            self._violation = error
            self._tell("world", "VIOLATION", _words(error))

    def _stop_if_violated(self) -> None:
        if self._violation is not None:
            raise self._violation

    def tell_logged(self, line: str, *, bug: bool) -> None:
        """Note an error that a service logged; one that says that something is broken ends the story."""
        node = node_of_this_task()
        who = node.name if node else "world"
        self._tell(who, "logs", line)
        if bug:
            self._fail(ViolationError(f"{who} is broken: {line}"))

    def _tell(self, who: str, what: str, detail: Any) -> None:
        self._lines.append((self.loop.time(), who, what, detail))

    def _steps(self) -> int:
        """Return how much has happened: calls that came in, entries of journals that say something, faults."""
        return self.cluster.network.messages + self.onlooker.meant + self.mischief.struck.total()

    def _digest(self) -> str:
        said = blake2b(digest_size=16)
        for topic in self.storage.topics():
            for record in self.storage.records_from(topic, PARTITION, 0):
                said.update(f"{topic} {record.position}".encode() + record.value)
        said.update(f"{self.loop.time():.6f}".encode())
        return said.hexdigest()


def _books(plan: Plan, domain: str) -> Books:
    agents = {one.name.replace(" ", "-"): one for one in plan.agents if one.domain == domain}
    calls = {(agent_id, "VOICE"): one.slots for agent_id, one in agents.items()}
    return Books(calls | {(agent_id, "CHAT"): one.chats for agent_id, one in agents.items()})


def _words(error: BaseException | None) -> str:
    if error is None:
        return ""
    return str(error) if isinstance(error, ViolationError) else f"{type(error).__name__}: {error}"
