"""Carries out what a plan says goes wrong, and heals it all in the end."""

from collections import Counter
from collections.abc import Callable, Mapping

from huntgroup_eventlog.journal.replica import Role
from huntgroup_onebox.sim.actors import AgentAtWork
from huntgroup_onebox.sim.cluster import Cluster, Replica
from huntgroup_onebox.sim.plan import OWNER, Fault, happens
from huntgroup_onebox.sim.seeded_loop import Node

CALLS_FIRST_S = 0.05


class Mischief:
    """All faults of one story."""

    def __init__(self, told: Callable[[str, str, object], None]) -> None:
        self.struck: Counter[str] = Counter()
        """Faults by kind, and moments at which a replica died."""
        self._told = told
        self._armed: dict[tuple[str, str], tuple[int, float]] = {}
        """By service and moment: at which occurrence whose it is dies, and for how long it is down then."""
        self._cluster: Cluster | None = None
        self._agents: Mapping[str, AgentAtWork] = {}
        self._flood: Callable[[Fault], None] = lambda _: None

    def begin(
        self,
        cluster: Cluster,
        agents: Mapping[str, AgentAtWork],
        flood: Callable[[Fault], None],
    ) -> None:
        """Say what there is to break, and who lets a crowd of callers in."""
        self._cluster, self._agents, self._flood = cluster, agents, flood

    @property
    def cluster(self) -> Cluster:
        """The cluster of the story."""
        assert self._cluster is not None
        return self._cluster

    def moment(self, node: Node, what: str) -> bool:
        """Return whether `node` dies at this moment of its life."""
        key = (node.name.partition("/")[0], what)
        armed = self._armed.get(key)
        if armed is None or not node.alive:
            return False
        count, down_s = armed
        if count > 1:
            self._armed[key] = (count - 1, down_s)
            return False
        del self._armed[key]
        self.struck[what] += 1
        self._crash(self._replica(node.name), down_s, what)
        return True

    def strike(self, fault: Fault) -> None:
        """Let a fault begin; it ends by itself."""
        weather = self.cluster.weather
        self.struck[fault.kind] += 1
        self._told("fault", fault.kind, f"{fault.target} {fault.detail} {fault.amount or ''}")
        match fault.kind:
            case "crash":
                self._crash(self._replica(fault.target), fault.for_s, "killed")
            case "crash at a moment":
                # Most moments are an owner's, whoever that is by then.
                service = fault.target.partition("/")[0]
                self._armed[service, fault.detail] = (fault.amount, fault.for_s)
            case "stop":
                self._stop(self._befallen(fault), fault.for_s)
            case "upgrade":
                # As a rollout does it.
                replica = self._befallen(fault)
                replica.upgraded = True
                self._stop(replica, fault.for_s)
            case "freeze":
                self._freeze(self._befallen(fault).node, fault.for_s)
            case "pause":
                for replica in self._machine(fault):
                    self._freeze(replica.node, fault.for_s)
            case "cut off":
                self._cut_off(fault)
            case "broker lost":
                self._lose_broker(fault)
            case "clock":
                clock = self._replica(fault.target).clock
                clock.ahead_ms += fault.amount
                self._later(fault.for_s, lambda: setattr(clock, "ahead_ms", 0))
            case "loss":
                weather.loss_per_mille = fault.amount
                self._later(fault.for_s, lambda: setattr(weather, "loss_per_mille", 0))
            case "slow":
                weather.slow_per_mille = fault.amount
                self._later(fault.for_s, lambda: setattr(weather, "slow_per_mille", 0))
            case "disk full":
                weather.disk_full = True
                self._later(fault.for_s, lambda: setattr(weather, "disk_full", False))
            case "silent desktop" | "slow reader":
                self._desktop(fault)
            case "flood":
                self._flood(fault)
            case _:
                raise ValueError(f"{fault.name}: there is no fault {fault.kind!r}")

    def heal(self) -> None:
        """End every fault: the network is whole, everybody runs, all clocks are right."""
        cluster, weather = self.cluster, self.cluster.weather
        self._armed.clear()
        weather.cut_off.clear()
        weather.without_broker.clear()
        weather.loss_per_mille = weather.slow_per_mille = 0
        weather.disk_full = False
        for replica in cluster.replicas:
            replica.clock.ahead_ms = 0
            if not replica.node.alive:
                replica.start()
            elif replica.node.backlog is not None:
                cluster.loop.thaw(replica.node)

    def _replica(self, name: str) -> Replica:
        return next(one for one in self.cluster.replicas if one.name == name)

    def _befallen(self, fault: Fault) -> Replica:
        """Return the target, or the owner of its service, if there is one and it is meant."""
        service = fault.target.partition("/")[0]
        owning = (
            one
            for one in self.cluster.replicas
            if one.service == service and one.role is Role.OWNING
        )
        named = self._replica(fault.target)
        return next(owning, named) if fault.detail == OWNER else named

    def _later(self, delay_s: float, do: Callable[[], object]) -> None:
        self.cluster.loop.call_in_world(delay_s, do)

    def _crash(self, replica: Replica, down_s: float, why: str) -> None:
        if not replica.node.alive:
            return
        self._told(replica.name, "dies", why)
        self.cluster.kill(replica)
        self._later(down_s, lambda: self._restart(replica))

    def _stop(self, replica: Replica, down_s: float) -> None:
        if replica.node.alive:
            self._told(replica.name, "is asked to stop", "")
            replica.stop(lambda: self._later(down_s, lambda: self._restart(replica)))

    def _restart(self, replica: Replica) -> None:
        if not replica.node.alive:
            self._told(replica.name, "starts", f"#{replica.incarnation + 1}")
            replica.start()

    def _freeze(self, node: Node, for_s: float) -> None:
        loop, chance = self.cluster.loop, self.cluster.weather.chance

        def thaw() -> None:
            if node.alive and node.backlog is not None:
                calls_first = happens(chance, 0.5)
                loop.thaw(node, calls_first_s=CALLS_FIRST_S if calls_first else 0.0)

        loop.freeze(node)
        self._later(for_s, thaw)

    def _cut_off(self, fault: Fault) -> None:
        cluster, weather = self.cluster, self.cluster.weather
        every = [one.name for one in cluster.replicas] + list(self._agents)
        names = {fault.target, *weather.chance.sample(every, weather.chance.randint(0, 3))}
        weather.cut_off |= names
        cluster.network.broken(names)
        self._told("fault", "cut off", sorted(names))
        self._later(fault.for_s, lambda: weather.cut_off.difference_update(names))

    def _lose_broker(self, fault: Fault) -> None:
        """A machine does not reach the broker any more; everybody else it does."""
        weather, names = self.cluster.weather, {one.name for one in self._machine(fault)}
        weather.without_broker |= names
        self._later(fault.for_s, lambda: weather.without_broker.difference_update(names))

    def _machine(self, fault: Fault) -> list[Replica]:
        """Return what runs on a machine: one replica of each service."""
        index = fault.target.rpartition("/")[2]
        return [one for one in self.cluster.replicas if one.name.endswith(f"/{index}")]

    def _desktop(self, fault: Fault) -> None:
        agent = self._agents.get(fault.target)
        if agent is None:
            return
        name = "silent" if fault.kind == "silent desktop" else "reads_slowly"
        setattr(agent, name, True)
        self._later(fault.for_s, lambda: setattr(agent, name, False))
