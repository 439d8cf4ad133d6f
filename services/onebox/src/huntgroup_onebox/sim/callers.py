"""The callers of a story: they hang up or stay, and read what becomes of them."""

import asyncio
from contextlib import suppress
from typing import Final

from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup_onebox.sim.actors import ROUTING
from huntgroup_onebox.sim.client import Client
from huntgroup_onebox.sim.customers import SESSION, be_called_back, hang_up, start, state_of
from huntgroup_onebox.sim.plan import Caller
from huntgroup_runtime.rpc.errors import RpcRefusedError

WITHOUT_AGENT: Final = {"INITIATED", "QUEUED", "OFFERING"}
LOOKS_EVERY_S: Final = 0.4
NEWEST: Final = 4
IMPATIENT_S: Final = 1.0
"""Who has no more patience would rather be called back."""
READS: Final = 4
"""So often a caller who waits looks whether the services still know of them."""


def contact_id_of(caller: Caller) -> str:
    """Return the id of a caller's contact; it names the tenant."""
    return f"{caller.domain.partition('/')[0]}-{caller.name.replace(' ', '-')}"


async def call(client: Client, caller: Caller, closing: asyncio.Event) -> None:
    """Start a contact, have it queued, and hang up when patience ends, unless somebody answered.

    When `closing` is set, nobody hangs up any more: the end of the story serves whoever waits.
    """
    contact_id = contact_id_of(caller)
    await start(client, contact_id, chats=caller.chats, twice=caller.doubles)
    await state_of(client, contact_id)
    refused = await _queue(client, caller, caller.queue_id)
    impatient = caller.patience_s <= IMPATIENT_S and not caller.chats
    if impatient and await be_called_back(
        client, contact_id, caller.last_resort, closing, twice=caller.doubles
    ):
        return
    for read in range(READS):
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), caller.patience_s / READS)
        if closing.is_set():
            break
        if await state_of(client, contact_id) == "INITIATED" and not refused:
            await _queue(client, caller, caller.last_resort)
        if read == 1:
            await _be_looked_after(client, caller)
        if caller.key and read == READS // 2:
            press = routing_pb.ExitQueueRequest(contact_id=contact_id, key=caller.key)
            await client.command(
                "routing", f"{ROUTING}ExitQueue", press, routing_pb.ExitQueueResponse
            )
    if refused or not closing.is_set() or caller.hangs_up:
        await hang_up(client, contact_id)
        return
    while (state := await state_of(client, contact_id)) in WITHOUT_AGENT:
        if state == "INITIATED":
            await _queue(client, caller, caller.last_resort)
        await asyncio.sleep(1.0)


async def look_at_newest(client: Client, closing: asyncio.Event) -> None:
    """Now and then read one of the newest contacts of the domain, as a wallboard does."""
    while not closing.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), LOOKS_EVERY_S)
        if newest := [*client.books.states][-NEWEST:]:
            await state_of(client, client.chance.choice(newest))


async def _be_looked_after(client: Client, caller: Caller) -> None:
    """Somebody moves who is important, and puts forward who says everything twice; for both, their whole queue."""
    contact_id = contact_id_of(caller)
    if caller.priority:
        move = routing_pb.MoveContactRequest(contact_id=contact_id, queue_id=caller.last_resort)
        await client.command(
            "routing", f"{ROUTING}MoveContact", move, routing_pb.MoveContactResponse
        )
    if caller.doubles:
        raised = routing_pb.SetContactPriorityRequest(contact_id=contact_id, priority=5)
        await client.command(
            "routing",
            f"{ROUTING}SetContactPriority",
            raised,
            routing_pb.SetContactPriorityResponse,
        )
    if caller.doubles and caller.priority:
        all_raised = routing_pb.SetQueuePriorityRequest(queue_id=caller.last_resort, priority=3)
        await client.command(
            "routing",
            f"{ROUTING}SetQueuePriority",
            all_raised,
            routing_pb.SetQueuePriorityResponse,
        )


async def _queue(client: Client, caller: Caller, queue_id: str) -> RpcRefusedError | None:
    queue = session_pb.QueueContactRequest(
        contact_id=contact_id_of(caller),
        queue_id=queue_id,
        priority=caller.priority,
        customer_key=client.chance.choice(("", "one", "two")),
        preferred_agents=client.chance.choice(((), (), ("agent-0", "agent-2"))),
        direct_agent_id=client.chance.choice(("", "", "", "", "agent-0")),
        requirement=client.chance.choice(("", "", 'not agent == "nobody"')),
    )
    return await client.command(
        "session",
        f"{SESSION}QueueContact",
        queue,
        session_pb.QueueContactResponse,
        twice=caller.doubles,
    )


async def start_and_hang_up(client: Client, contact_id: str) -> None:
    """Start a contact that nobody queues, and end it."""
    await start(client, contact_id)
    await hang_up(client, contact_id)
