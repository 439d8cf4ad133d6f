"""Streaming costs no routing quality: through session, routing and agent-state people wait as on the core alone.

The same trace of whole milliseconds is played twice: by `huntgroup simulate`'s own engine, and through the gRPC API of
all five services, on the embedded log and on Kafka, with a clock that stands still while anything is under way. Who is
answered when, and by whom, must be the same to the millisecond.
"""

import asyncio
import heapq
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec import convert

from huntgroup.agent_state.v1 import commands_pb2 as agent_pb
from huntgroup.agent_state.v1.events_pb2 import PRESENCE_READY
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE as SESSION_VOICE
from huntgroup_agent_state.settings import AgentStateSettings
from huntgroup_eventlog.adapters.kafka import KafkaLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_loadtest.api import Api
from huntgroup_loadtest.timeline import Timeline
from huntgroup_onebox.box import SERVICES, Box, box_settings
from huntgroup_onebox.simulate.centre import Centre
from huntgroup_onebox.simulate.draws import Comer, Recorded
from huntgroup_onebox.simulate.measures import Measures
from huntgroup_onebox.simulate.replications import Simulation, prepare
from huntgroup_onebox.simulate.scenario import Scenario
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import AgentId
from huntgroup_runtime.clock import Activity, VirtualClock
from huntgroup_testkit.kafka import kafka_or_skip

from .apart import Apart

CONTACTS: Final = 120
START_MS: Final = 1_800_000_000_000
DOMAIN: Final = "theory/whole-path"
QUIET_TURNS: Final = 4
LOOPBACK: Final = {"grpc_listen": "127.0.0.1:0", "http_listen": "127.0.0.1:0"}
GROUPS: Final = {"only-a": ("a",), "both": ("a", "b"), "only-b": ("b",)}


@dataclass(frozen=True, slots=True, order=True)
class Call:
    at_ms: int
    queue: str
    service_ms: int
    patience_ms: int


Outcomes = dict[int, tuple[str, int]]
"""By time of arrival: the agent, or nobody, and the wait (ms)."""


def trace() -> list[Call]:
    """Three agents are busy for nine tenths of the time, and one caller in four has little patience."""
    chance = random.Random("whole path")
    at_ms, calls = 0, []
    for _ in range(CONTACTS):
        at_ms += 1 + round(chance.expovariate(1 / 21_000))
        patience = chance.expovariate(1 / 45_000) if chance.random() < 0.25 else 1e8
        calls.append(
            Call(
                at_ms,
                chance.choice("ab"),
                1 + round(chance.expovariate(1 / 57_000)),
                1 + round(patience),
            )
        )
    return calls


class Outcome(Measures):
    """Notes who was answered when and by whom."""

    def note(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def answered(self, comer: Comer, agent_id: AgentId, at_ms: float) -> None:
        self._outcomes[round(comer.at_ms)] = (agent_id, round(at_ms - comer.at_ms))
        super().answered(comer, agent_id, at_ms)

    def gave_up(self, comer: Comer, at_ms: float) -> None:
        self._outcomes[round(comer.at_ms)] = ("nobody", round(at_ms - comer.at_ms))
        super().gave_up(comer, at_ms)


def on_the_core_alone(calls: Sequence[Call]) -> Outcomes:
    journals = {
        queue: [
            Recorded(at_ms=one.at_ms, handled_ms=one.service_ms, gave_up_after_ms=one.patience_ms)
            for one in calls
            if one.queue == queue
        ]
        for queue in "ab"
    }
    arrivals = {"kind": "journal", "directory": "-", "domain": DOMAIN}
    words = {
        "name": "the core alone",
        "run": {"contacts": len(calls)},
        "queues": {queue: {"required_skills": [queue]} for queue in "ab"},
        "classes": {
            queue: {"queue": queue, "arrivals": {**arrivals, "queue": queue}} for queue in "ab"
        },
        "agents": {name: {"count": 1, "skills": skills} for name, skills in GROUPS.items()},
    }
    simulation = Simulation(scenario=convert(words, Scenario), folder=Path(), journals=journals)
    plan, measures = prepare(simulation, 0, Outcome)
    outcomes: Outcomes = {}
    measures.note(outcomes)
    Centre(plan, measures).play(lambda _: None)
    return outcomes


class WholePath:
    """Callers and agents at the gRPC API of a box on a virtual clock."""

    def __init__(self, box: Box, clock: VirtualClock) -> None:
        timeline = Timeline(clock=clock, activity=Activity(), start_ms=0, opens_ms=0, speed=1.0)
        addresses = dict.fromkeys(SERVICES, box.address)
        self.api = Api(addresses, domain=DOMAIN, run="whole-path", timeline=timeline)
        self.outcomes: Outcomes = {}
        self._box = box
        self._clock = clock
        self._routing = next(
            one for one in box.process.journals if one.application.service == "routing"
        )
        self._calendar: list[tuple[int, int, str, Call, str]] = []
        self._calls: dict[str, Call] = {}

    async def open(self) -> None:
        """Make the queues and let the agents sign on, in the order of their names in `GROUPS`."""
        for queue in "ab":
            await self._do(
                "routing",
                "ConfigureQueue",
                routing_pb.ConfigureQueueRequest(
                    queue_id=queue,
                    channel=CHANNEL_VOICE,
                    required_skills=[queue],
                    ring_timeout_ms=20_000,
                    wrap_up_timeout_ms=600_000,
                    service_level_threshold_ms=20_000,
                ),
            )
        for name, skills in GROUPS.items():
            agent_id = f"{name}-1"
            await self._do(
                "agent_state", "SignOn", agent_pb.SignOnRequest(agent_id=agent_id, skills=skills)
            )
            ready = agent_pb.SetPresenceRequest(agent_id=agent_id, presence=PRESENCE_READY)
            await self._do("agent_state", "SetPresence", ready)

    async def play(self, calls: Sequence[Call]) -> None:
        """Play the trace to its end."""
        for call in calls:
            self._schedule(START_MS + call.at_ms, "arrive", call)
        while self._calendar:
            at_ms, _, what, call, agent_id = heapq.heappop(self._calendar)
            await self._until(at_ms)
            contact_id = f"c{call.at_ms:09d}"
            match what:
                case "arrive":
                    await self._arrive(call, contact_id)
                case "give up" if contact_id in self._calls:
                    del self._calls[contact_id]
                    self.outcomes[call.at_ms] = (
                        "nobody",
                        self._clock.now_ms() - START_MS - call.at_ms,
                    )
                    hang_up = session_pb.HangUpContactRequest(contact_id=contact_id)
                    await self._do("session", "HangUpContact", hang_up)
                case "end":
                    await self._end(contact_id, agent_id)
                case _:
                    pass
            await self._answer()

    async def _arrive(self, call: Call, contact_id: str) -> None:
        self._calls[contact_id] = call
        self._schedule(self._clock.now_ms() + call.patience_ms, "give up", call)
        started = session_pb.StartContactRequest(contact_id=contact_id, channel=SESSION_VOICE)
        await self._do("session", "StartContact", started)
        queued = session_pb.QueueContactRequest(contact_id=contact_id, queue_id=call.queue)
        await self._do("session", "QueueContact", queued)

    async def _end(self, contact_id: str, agent_id: str) -> None:
        ended = session_pb.EndContactRequest(contact_id=contact_id, agent_id=agent_id)
        await self._do("session", "EndContact", ended)
        wrapped = agent_pb.CompleteWrapUpRequest(agent_id=agent_id, contact_id=contact_id)
        await self._do("agent_state", "CompleteWrapUp", wrapped)

    async def _answer(self) -> None:
        """Let every agent take at once what rings."""

        def ringing(state: State) -> list[tuple[str, str, str]]:
            return [(one.offer_id, one.agent_id, one.contact_id) for one in state.offers.values()]

        for offer_id, agent_id, contact_id in await self._routing.query(DOMAIN, ringing):
            accept = routing_pb.AcceptOfferRequest(offer_id=offer_id, agent_id=agent_id)
            await self._do("routing", "AcceptOffer", accept)
            call, now_ms = self._calls.pop(contact_id), self._clock.now_ms()
            self.outcomes[call.at_ms] = (agent_id, now_ms - START_MS - call.at_ms)
            self._schedule(now_ms + call.service_ms, "end", call, agent_id)

    def _schedule(self, at_ms: int, what: str, call: Call, agent_id: str = "") -> None:
        heapq.heappush(self._calendar, (at_ms, len(self._calendar), what, call, agent_id))

    async def _do(self, service: str, method: str, request: Any) -> None:
        stub = getattr(getattr(self.api, service), method)
        refused = await self.api.command(service.replace("_", "-"), stub, request)
        assert refused is None, refused
        await self._quiet()

    async def _until(self, at_ms: int) -> None:
        """Let the clock go on, step by step, so that what is due in between is done in between."""
        arriving = asyncio.create_task(self._clock.sleep_until(at_ms))
        await asyncio.sleep(0)
        while self._clock.now_ms() < at_ms:
            await self._quiet()
            self._clock.jump()
        await arriving
        await self._quiet()

    async def _quiet(self) -> None:
        """Return when nothing has been under way for some turns of the loop."""
        turns = 0
        while turns < QUIET_TURNS:
            turns = turns + 1 if self._box.idle() else 0
            await asyncio.sleep(0 if turns else 0.001)


def embedded(folder: Path, clock: VirtualClock) -> Box:
    return Box.in_directory(folder / "log", clock=clock, log_durability="process", **LOOPBACK)


def on_kafka(address: str, clock: VirtualClock) -> Box:
    """Only the log is Kafka's: what services keep beside it is in memory."""
    settings = box_settings(log_url="memory://", log_partitions=1, **LOOPBACK)
    log = KafkaLog(address, 1, replication_factor=1, driver="librdkafka")
    apart = Apart(log, f"path-{uuid.uuid4().hex[:8]}")
    return Box(settings, apart, ObjectSnapshotStore.from_url(""), clock=clock)


@pytest.fixture(params=["embedded", "kafka"])
async def path(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WholePath]:
    clock = VirtualClock(START_MS - 1_000)
    with ExitStack() as held:
        if request.param == "kafka":
            box = on_kafka(held.enter_context(kafka_or_skip()).bootstrap_servers, clock)
        else:
            box = embedded(tmp_path, clock)
        await box.wire(huntgroup_agent_state=AgentStateSettings(desktop_lease_ms=0))
        await box.process.start()
        await box.ready(60)
        made = WholePath(box, clock)
        try:
            yield made
        finally:
            await made.api.close()
            await box.stop()


@pytest.mark.integration
async def test_everybody_waits_as_on_the_core_alone(path: WholePath) -> None:
    calls = trace()
    expected = on_the_core_alone(calls)
    assert len(expected) == CONTACTS
    assert sum(agent == "nobody" for agent, _ in expected.values()) >= 3, "patience was not tried"
    assert sum(wait > 0 for _, wait in expected.values()) >= CONTACTS // 3, "waiting was not tried"
    await path.open()
    await path.play(calls)
    assert path.outcomes == expected
