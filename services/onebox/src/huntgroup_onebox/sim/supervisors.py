"""Who looks after the queues of a story: what they do with contacts, and a drill in which one is closed for a while."""

import asyncio
from typing import Final

from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import (
    OVERFLOW_ACTION_HAND_BACK,
    OVERFLOW_ACTION_QUEUE,
    OVERFLOW_ACTION_VOICEMAIL,
    OVERFLOW_TRIGGER_EXIT_KEY,
    OVERFLOW_TRIGGER_NOBODY_ON_DUTY,
    OVERFLOW_TRIGGER_QUEUE_LENGTH,
    OVERFLOW_TRIGGER_WAITED,
    OverflowRule,
)
from huntgroup_onebox.sim.actors import LAST_RESORT, ROUTING
from huntgroup_onebox.sim.client import Client
from huntgroup_onebox.sim.plan import HAND_BACK_KEY, OTHER_QUEUE_KEY, VOICEMAIL_KEY

DRILLED: Final = "german"


def overflow_of(queue_id: str) -> list[OverflowRule]:
    """Return what a queue does with contacts that it does not take, or lets go."""
    rules = [
        OverflowRule(
            trigger=OVERFLOW_TRIGGER_EXIT_KEY,
            key=VOICEMAIL_KEY,
            action=OVERFLOW_ACTION_VOICEMAIL,
            endpoint="box-1",
        ),
        OverflowRule(
            trigger=OVERFLOW_TRIGGER_EXIT_KEY, key=HAND_BACK_KEY, action=OVERFLOW_ACTION_HAND_BACK
        ),
    ]
    if queue_id == LAST_RESORT:
        return rules
    elsewhere = OverflowRule(action=OVERFLOW_ACTION_QUEUE, queue_id=LAST_RESORT)
    on_duty, waited, key = OverflowRule(), OverflowRule(), OverflowRule()
    for rule in (on_duty, waited, key):
        rule.CopyFrom(elsewhere)
    on_duty.trigger = OVERFLOW_TRIGGER_NOBODY_ON_DUTY
    waited.trigger, waited.limit = OVERFLOW_TRIGGER_WAITED, 2_500
    key.trigger, key.key = OVERFLOW_TRIGGER_EXIT_KEY, OTHER_QUEUE_KEY
    too_many = OverflowRule(
        trigger=OVERFLOW_TRIGGER_QUEUE_LENGTH, limit=2, action=OVERFLOW_ACTION_HAND_BACK
    )
    return [on_duty, too_many, waited, key, *rules]


async def drill(client: Client) -> None:
    """Close a queue for a while, as in an emergency."""
    await asyncio.sleep(client.chance.uniform(1.0, 4.0))
    close = routing_pb.CloseQueueRequest(queue_id=DRILLED, note="drill")
    await client.command("routing", f"{ROUTING}CloseQueue", close, routing_pb.CloseQueueResponse)
    await asyncio.sleep(client.chance.uniform(0.5, 2.0))
    reopen = routing_pb.OpenQueueRequest(queue_id=DRILLED)
    await client.command("routing", f"{ROUTING}OpenQueue", reopen, routing_pb.OpenQueueResponse)
