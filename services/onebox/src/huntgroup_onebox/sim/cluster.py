"""The five services, several replicas each, as the wiring of each puts them together, on nodes that may die."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, cast

from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_agent_state.wiring import wire as wire_agent_state
from huntgroup_eventlog.application import Application
from huntgroup_eventlog.journal.replica import Role
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_onebox.sim.codes import REPORTING, todays, upgraded
from huntgroup_onebox.sim.gates import WatchedAdmission, WatchedJournals
from huntgroup_onebox.sim.network import Endpoint, Network, SimPeers
from huntgroup_onebox.sim.plan import SERVICES
from huntgroup_onebox.sim.seeded_loop import Node, SeededLoop, node_of_this_task, world_context
from huntgroup_onebox.sim.sim_log import Broker, Moment, SimLog
from huntgroup_onebox.sim.stores import (
    Database,
    NodeHistory,
    NodeSnapshots,
    NodeVault,
    Snapshots,
    Taken,
)
from huntgroup_onebox.sim.weather import Weather
from huntgroup_recording.adapters.store import MemoryVault
from huntgroup_recording.settings import RecordingSettings
from huntgroup_recording.wiring import wire as wire_recording
from huntgroup_reporting.wiring import wire as wire_reporting
from huntgroup_routing.wiring import wire as wire_routing
from huntgroup_runtime.clock import Activity
from huntgroup_runtime.journals import ServiceJournals
from huntgroup_runtime.process import Process
from huntgroup_runtime.rpc.commands import RpcApi
from huntgroup_runtime.rpc.deadline import CallLimits
from huntgroup_runtime.rpc.door import Door
from huntgroup_runtime.rpc.gate import Gate, OpenStreams, Seekers, limits_of
from huntgroup_runtime.rpc.guard import CallGuard
from huntgroup_runtime.rpc.server import STREAMS_END_S
from huntgroup_runtime.settings import RuntimeSettings
from huntgroup_runtime.telemetry import Telemetry
from huntgroup_session.wiring import wire as wire_session

HEARTBEAT_MS: Final = 800
TAKEOVER_AFTER_MS: Final = 1_600
SNAPSHOT_EVERY: Final = 25
WAITING_MAX, INFLIGHT_MAX = 4, 2
COMMANDS_PER_S, COMMANDS_BURST = 12, 12
"""Bounds so small that stories meet them: callers are told to come again."""
STREAMS_MAX: Final = 12
SLOW_READER_S: Final = 0.6
DRAIN_S, DRAIN_CHECK_S = 1.0, 0.05
"""Calls under way at a stop are waited for so long, and looked at so often."""
AGENT_STATE: Final = AgentStateSettings(
    desktop_heartbeat_interval_ms=1_500, desktop_lease_ms=4_000, desktop_backlog_max=4
)
RECORDING: Final = RecordingSettings(
    store_url="memory://", stop_grace_ms=1_500, silent_stream_ms=800
)
_TELEMETRY: Final = Telemetry.off()
_DEFAULTS: Final = {
    name: field.get_default(call_default_factory=True)
    for name, field in RuntimeSettings.model_fields.items()
}


class NodeClock:
    """A node's own idea of the time, which may jump."""

    def __init__(self, loop: SeededLoop) -> None:
        self.ahead_ms = 0
        self.loop = loop

    def now_ms(self) -> int:
        return self.loop.now_ms() + self.ahead_ms

    def elapsed_ms(self) -> int:
        """Jumps leave it alone."""
        return self.loop.now_ms()

    async def sleep_until(self, at_ms: int) -> None:
        """As the system's clock does: a jump is noticed within a second."""
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 - a clock has no event
            await asyncio.sleep(min(left_ms, 1_000) / 1_000)

    async def sleep(self, for_ms: int) -> None:
        """As the system's clock does."""
        await asyncio.sleep(for_ms / 1_000)


class SimProcess:
    """What `wire` finds where it otherwise finds a `Process`: the same parts, on a simulated node."""

    def __init__(
        self,
        node: Node,
        settings: RuntimeSettings,
        *,
        log: SimLog,
        snapshots: NodeSnapshots,
        clock: NodeClock,
        network: Network,
        address: str,
        upgraded: bool,
        failed: Callable[[Exception], None],
    ) -> None:
        self._upgraded = upgraded
        self._failed = failed
        self.settings = settings
        self.log = log
        self.snapshots = snapshots
        self.clock = clock
        self.activity = Activity()
        self.telemetry = _TELEMETRY
        self.address = address
        self.peers = SimPeers(node, network, address)
        self._streams = OpenStreams(tenant_max=STREAMS_MAX, calls_max=1_000, telemetry=_TELEMETRY)
        self._seekers = Seekers(calls_max=1_000)
        self._refuses = partial(network.refuses, node)
        self.endpoint = Endpoint(node, CallGuard(CallLimits.of(settings), _TELEMETRY))
        self.journals: list[ServiceJournals] = []
        self.tasks: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = []

    def add_journals(self, application: Application) -> ServiceJournals:
        """As `Process.add_journals`."""
        application = todays()[application.service]
        if self._upgraded:
            application = upgraded(application)
        made = WatchedJournals(
            application,
            failed=self._failed,
            log=self.log,
            clock=self.clock,
            snapshots=self.snapshots,
            settings=self.settings,
            telemetry=self.telemetry,
            address=self.address,
            refuses=self._refuses,
            now_s=self.clock.loop.time,
        )
        self.journals.append(made)
        return made

    def add_api(self, api: RpcApi) -> None:
        """As `Process.add_api`: with admission, whose bounds a story meets."""
        api.gate = Gate(
            api.name.split(".")[1].replace("_", "-"),
            WatchedAdmission(limits_of(self.settings), self._failed),
            door=Door(0.0, _TELEMETRY),
            streams=self._streams,
            seekers=self._seekers,
            slow_reader_s=SLOW_READER_S,
            telemetry=_TELEMETRY,
        )
        api.register(cast("Any", self.endpoint))

    def add_task(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """As `Process.add_task`."""
        self.tasks.append((name, run))

    def add_closer(self, name: str, close: Callable[[], Awaitable[None]]) -> None:
        """As `Process.add_closer`: nodes end without being closed."""


class Replica:
    """One replica of one service through all its incarnations."""

    def __init__(self, cluster: "Cluster", service: str, index: int) -> None:
        self.name = f"{service}/{index}"
        self.service = service
        self.address = f"{service}-{index}:1"
        self.incarnation = 0
        self.upgraded = False
        """Runs the next version of the code from its next start on."""
        self.clock = NodeClock(cluster.loop)
        self.node = Node(self.name)
        self.node.alive = False
        self.journals: ServiceJournals | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._cluster = cluster
        self._index = index

    def start(self) -> None:
        """Begin an incarnation; the one before must be dead."""
        cluster = self._cluster
        self.incarnation += 1
        node = self.node = Node(self.name)
        settings = RuntimeSettings.model_construct(
            **_DEFAULTS
            | {
                "log_url": "memory://",
                "owner_id": f"{self.name}#{self.incarnation}",
                "replica_index": self._index,
                "replica_count": cluster.replicas_each,
                "heartbeat_ms": HEARTBEAT_MS,
                "takeover_after_ms": TAKEOVER_AFTER_MS,
                "snapshot_every_records": SNAPSHOT_EVERY,
                "waiting_commands_max": WAITING_MAX,
                "inflight_batches_max": INFLIGHT_MAX,
                "admission_domain_commands_per_s": COMMANDS_PER_S,
                "admission_domain_burst": COMMANDS_BURST,
                "admission_domain_waiting_max": WAITING_MAX,
            }
        )
        process = SimProcess(
            node,
            settings,
            log=SimLog(node, cluster.broker, cluster.moment),
            snapshots=cluster.snapshots.of(node, cluster.weather, cluster.moment, cluster.taken),
            clock=self.clock,
            network=cluster.network,
            address=self.address,
            upgraded=self.upgraded,
            failed=cluster.failed,
        )
        cluster.loop.call_on(node, 0.0, lambda: cluster.spawn("start", self._run(process)))

    async def _run(self, process: SimProcess) -> None:
        cluster, node = self._cluster, self.node
        whole = cast("Process", process)
        match self.service:
            case "session":
                await wire_session(whole)
            case "agent-state":
                await wire_agent_state(whole, AGENT_STATE)
            case "routing":
                await wire_routing(whole)
            case "recording":
                vault = NodeVault(cluster.vault, node, cluster.weather)
                await wire_recording(whole, RECORDING, vault)
            case _:
                history = NodeHistory(cluster.database, node, cluster.weather)
                await wire_reporting(whole, REPORTING, history)
        self.journals = process.journals[0]
        cluster.network.endpoints[self.address] = process.endpoint
        await self.journals.start()
        self._tasks = [cluster.spawn(name, run()) for name, run in process.tasks]

    def stop(self, stopped: Callable[[], object]) -> None:
        """Hand over and end in order, as at SIGTERM; `stopped` is called then, if nothing ends it before."""
        cluster = self._cluster
        cluster.loop.call_on(
            self.node, 0.0, lambda: cluster.spawn("stop", self._hand_over(stopped))
        )

    async def _hand_over(self, stopped: Callable[[], object]) -> None:
        """Take the steps of `Process.stop`, in their order."""
        cluster, journals = self._cluster, self.journals
        endpoint = cluster.network.endpoints.get(self.address)
        if journals is not None and endpoint is not None:
            await endpoint.drain(STREAMS_END_S)
            await journals.hand_over()
            await self._calls_ended()
            for task in self._tasks:
                task.cancel()
            await journals.stop()
        cluster.kill(self)
        stopped()

    async def _calls_ended(self) -> None:
        ends_s = self._cluster.loop.time() + DRAIN_S
        while self._cluster.network.serves(self.node) and self._cluster.loop.time() < ends_s:  # noqa: ASYNC110
            await asyncio.sleep(DRAIN_CHECK_S)

    @property
    def role(self) -> Role | None:
        """What it is to its partition now; None while it is down or only starting."""
        if not self.node.alive or self.journals is None or not self.journals.partitions:
            return None
        return self.journals.partitions[0].replica.role


class Cluster:
    """All replicas and what they share."""

    def __init__(
        self,
        loop: SeededLoop,
        broker: Broker,
        weather: Weather,
        *,
        replicas_each: int,
        moment: Moment,
        taken: Taken,
        failed: Callable[[Exception], None],
    ) -> None:
        self.loop = loop
        self.broker = broker
        self.weather = weather
        self.replicas_each = replicas_each
        self.moment = moment
        self.taken = taken
        self.failed = failed
        self.network = Network(loop, weather)
        self.snapshots = Snapshots()
        self.vault = MemoryVault()
        self.database = Database()
        self.replicas = [
            Replica(self, service, index) for service in SERVICES for index in range(replicas_each)
        ]
        self._tasks: set[asyncio.Task[None]] = set()

    def addresses(self, service: str) -> list[str]:
        """Return where the replicas of a service are called."""
        return [one.address for one in self.replicas if one.service == service]

    def kill(self, replica: Replica) -> None:
        """End a replica as kill -9 does."""
        self.loop.kill(replica.node)
        self.network.node_ended(replica.node)
        replica.journals = None

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a part of the node whose code asks for it. A failure would end the process: it is told."""
        task, node = self.loop.create_task(work), node_of_this_task()

        def ended(_: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self.failed(ViolationError(f"the task {name!r} of {node} failed: {error!r}"))

        self._tasks.add(task)
        task.add_done_callback(ended, context=world_context())
        return task
