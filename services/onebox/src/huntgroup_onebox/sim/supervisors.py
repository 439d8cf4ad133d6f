"""Who looks after the queues of a story: makes them, closes one for a drill, and in some stories changes the policy."""

import asyncio
import random
from contextlib import suppress
from typing import Final

from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_ALL
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import (
    BLEND_TRIGGER_LONGEST_WAIT,
    BLEND_TRIGGER_QUEUE_LENGTH,
    BLEND_TRIGGER_SERVICE_LEVEL,
    CHANNEL_CHAT,
    CHANNEL_VOICE,
    OVERFLOW_ACTION_HAND_BACK,
    OVERFLOW_ACTION_QUEUE,
    OVERFLOW_ACTION_VOICEMAIL,
    OVERFLOW_TRIGGER_EXIT_KEY,
    OVERFLOW_TRIGGER_NOBODY_ON_DUTY,
    OVERFLOW_TRIGGER_QUEUE_LENGTH,
    OVERFLOW_TRIGGER_WAITED,
    SELECTION_STRATEGY_LONGEST_IDLE,
    STEP_TRIGGER_ESTIMATED_WAIT,
    STEP_TRIGGER_NOBODY_ON_DUTY,
    STEP_TRIGGER_QUEUE_LENGTH,
    STEP_TRIGGER_SERVICE_LEVEL,
    BlendRule,
    OverflowRule,
    RoutingStep,
    ServingGroup,
)
from huntgroup_onebox.sim.actors import RECORDED_QUEUE, RECORDING, ROUTING
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_onebox.sim.client import Client
from huntgroup_onebox.sim.plan import (
    CHATS,
    HAND_BACK_KEY,
    LAST_RESORT,
    OTHER_QUEUE_KEY,
    QUEUES,
    SPARE,
    STRATEGIES,
    VOICEMAIL_KEY,
    happens,
)
from huntgroup_runtime.rpc.errors import RpcRefusedError

DRILLED: Final = "german"
KEPT: Final = (LAST_RESORT, CHATS)
"""No policy is without them."""
RING_MS: Final = 2_500
WRAP_UP_MS: Final = 1_500
ESTIMATED_MS: Final = 100
IN_TIME_MS: Final = 500
ANYBODY: Final = 'not agent == "nobody"'
CONDITIONS: Final = (
    (STEP_TRIGGER_QUEUE_LENGTH, 2),
    (STEP_TRIGGER_ESTIMATED_WAIT, ESTIMATED_MS),
    (STEP_TRIGGER_NOBODY_ON_DUTY, 0),
    (STEP_TRIGGER_SERVICE_LEVEL, 90),
)
"""What brings contacts to a step beside time, in a changed policy."""
STEPS: Final = {
    "german": RoutingStep(
        requirement=ANYBODY, trigger=STEP_TRIGGER_ESTIMATED_WAIT, limit=ESTIMATED_MS
    ),
    "everyone": RoutingStep(requirement=ANYBODY, trigger=STEP_TRIGGER_QUEUE_LENGTH, limit=1),
    "one-more": RoutingStep(requirement=ANYBODY, trigger=STEP_TRIGGER_SERVICE_LEVEL, limit=90),
}
"""The same, of queues as they are made."""
LENDING: Final = (
    (BLEND_TRIGGER_QUEUE_LENGTH, 1, 0),
    (BLEND_TRIGGER_LONGEST_WAIT, 600, 100),
    (BLEND_TRIGGER_SERVICE_LEVEL, 90, 95),
)
"""When the spare agents come to a queue and when they go back."""
LENT_TO: Final = {CHATS: 0, "one-more": 1, "everyone": 2}
"""Queues as they are made, and when spare agents come to them; a changed policy has others."""
LENT_MS: Final = 1_000
RETRY_MS: Final = 1_000
CHANGING: Final = 0.3
"""In so many stories the policy changes."""


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
    if queue_id in KEPT:
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


async def supervise(client: Client, closing: asyncio.Event) -> None:
    """Make the queues; perhaps change them until the end of the story, which finds them as they were made."""
    for queue in _queues():
        await client.command(
            "routing", f"{ROUTING}ConfigureQueue", queue, routing_pb.ConfigureQueueResponse
        )
    all_calls = recording_pb.SetRecordingPolicyRequest(
        queue_id=RECORDED_QUEUE, mode=RECORDING_MODE_ALL
    )
    await client.command(
        "recording",
        f"{RECORDING}SetRecordingPolicy",
        all_calls,
        recording_pb.SetRecordingPolicyResponse,
    )
    if not happens(client.chance, CHANGING):
        await drill(client)
        return
    while not closing.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), client.chance.uniform(0.3, 2.0))
        if not closing.is_set():
            await _change(client)
    await _apply(client, _queues(), waiting=True)


def _queues() -> list[routing_pb.ConfigureQueueRequest]:
    return [
        routing_pb.ConfigureQueueRequest(
            queue_id=queue_id,
            channel=CHANNEL_CHAT if queue_id == CHATS else CHANNEL_VOICE,
            required_skills=skills,
            ring_timeout_ms=RING_MS,
            wrap_up_timeout_ms=WRAP_UP_MS,
            service_level_threshold_ms=IN_TIME_MS,
            strategy=STRATEGIES.get(queue_id, SELECTION_STRATEGY_LONGEST_IDLE),
            ring_every_ms=RING_MS // 4,
            preferred_hold_ms=RING_MS,
            prefers_last_agent=True,
            direct_hold_ms=RING_MS,
            pull_requirement=ANYBODY,
            overflow=overflow_of(queue_id),
            steps=[STEPS[queue_id]] if queue_id in STEPS else (),
            groups=[ServingGroup()] if queue_id in LENT_TO else (),
            blend=[_lending(LENT_TO[queue_id])] if queue_id in LENT_TO else (),
            callback_attempts=3,
            callback_retry_ms=RETRY_MS,
            resume_window_ms=2 * RING_MS,
        )
        for queue_id, skills in QUEUES.items()
    ]


async def _change(client: Client) -> None:
    """Apply another policy, or bring one back; what the system then says of itself must be that or newer."""
    chance = client.chance
    listed = await client.query(
        "routing",
        f"{ROUTING}ListPolicyVersions",
        routing_pb.ListPolicyVersionsRequest(domain=client.domain),
        routing_pb.ListPolicyVersionsResponse,
    )
    versions = (
        [] if isinstance(listed, RpcRefusedError) else [one.version for one in listed.versions]
    )
    if versions != sorted(versions, reverse=True):
        raise ViolationError(f"the versions of the policy of {client.domain} are {versions}")
    waiting = happens(chance, 0.6)
    if versions and happens(chance, 0.4):
        back = routing_pb.RollBackPolicyRequest(
            version=chance.choice(versions), author="supervisor", applies_to_waiting=waiting
        )
        await client.command(
            "routing",
            f"{ROUTING}RollBackPolicy",
            back,
            routing_pb.RollBackPolicyResponse,
            twice=happens(chance, 0.3),
        )
        return
    queues = [one for one in _queues() if one.queue_id in KEPT or happens(chance, 0.8)]
    for queue in queues:
        _vary(queue, chance)
    await _apply(client, queues, waiting=waiting)


def _vary(queue: routing_pb.ConfigureQueueRequest, chance: random.Random) -> None:
    queue.ring_timeout_ms = chance.choice((RING_MS, RING_MS, 1_200))
    if happens(chance, 0.3):
        queue.requirement = 'skill("german")'
        queue.steps.add(after_ms=chance.choice((300, 1_500)))
    if not queue.steps and happens(chance, 0.6):
        trigger, limit = chance.choice(CONDITIONS)
        queue.steps.insert(0, RoutingStep(requirement=ANYBODY, trigger=trigger, limit=limit))
    if queue.blend and happens(chance, 0.7):
        del queue.blend[:]
        queue.blend.append(_lending(chance.randrange(len(LENDING))))


def _lending(number: int) -> BlendRule:
    trigger, enter, leave = LENDING[number]
    return BlendRule(group=SPARE, trigger=trigger, enter=enter, leave=leave, dwell_ms=LENT_MS)


async def _apply(
    client: Client, queues: list[routing_pb.ConfigureQueueRequest], *, waiting: bool
) -> None:
    apply = routing_pb.ApplyPolicyRequest(
        queues=queues, author="supervisor", applies_to_waiting=waiting
    )
    await client.command(
        "routing",
        f"{ROUTING}ApplyPolicy",
        apply,
        routing_pb.ApplyPolicyResponse,
        twice=happens(client.chance, 0.3),
    )
