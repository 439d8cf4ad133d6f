"""Simulated callers: each calls, waits as long as they have patience, and leaves or is answered."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from huntgroup.session.v1 import commands_pb2 as pb
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE
from huntgroup_loadtest.api import Api, uuid7
from huntgroup_loadtest.arrivals import Day
from huntgroup_loadtest.behaviour import QUEUES, CallerPlan, Queue, plan_caller
from huntgroup_loadtest.switchboard import Call, Switchboard


class Callers:
    """Everybody who calls on one day."""

    def __init__(
        self, api: Api, switchboard: Switchboard, seed: int, queues: Sequence[Queue] = QUEUES
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.answered_id = ""
        """The first contact that an agent answered; empty until then."""
        self._api = api
        self._switchboard = switchboard
        self._queues = queues
        self._seed = seed

    async def play(self, day: Day) -> None:
        """Let all callers of the day call; return when the last one has hung up or is talking."""
        async with asyncio.TaskGroup() as group:
            for number, arrival_ms in enumerate(day.arrivals_ms):
                await self._api.timeline.until(arrival_ms)
                group.create_task(self.call(number), name=f"caller {number}")

    async def call(self, number: int, plan: CallerPlan | None = None, contact_id: str = "") -> None:
        """Let one caller call, until they talk or have hung up; what is not given is drawn by seed and number."""
        chance = random.Random(f"{self._seed} caller {number}")
        api, drawn = self._api, plan_caller(chance, self._queues)
        plan = plan or drawn
        contact_id = contact_id or uuid7(api.timeline.clock.now_ms(), chance)
        call = Call(contact_id, plan)
        self._switchboard.connect(call)
        await self._start(call, number)
        if not await api.timeline.within(plan.patience_ms, call.answered):
            call.gone = True
            self._switchboard.clear(contact_id)
            left = await api.command(
                "session", api.session.HangUpContact, pb.HangUpContactRequest(contact_id=contact_id)
            )
            self.counts["abandoned" if left is None else "left too late"] += 1
        else:
            self.answered_id = self.answered_id or contact_id

    async def _start(self, call: Call, number: int) -> None:
        api, queue = self._api, call.plan.queue
        self.counts["calls"] += 1
        started = pb.StartContactRequest(
            contact_id=call.contact_id,
            channel=CHANNEL_VOICE,
            customer_endpoint=f"+1555{number:07d}",
            system_endpoint="+15550100",
        )
        await api.command("session", api.session.StartContact, started)
        queued = pb.QueueContactRequest(
            contact_id=call.contact_id, queue_id=queue.queue_id, priority=queue.priority
        )
        refused = await api.command("session", api.session.QueueContact, queued)
        if refused is not None:
            raise refused
