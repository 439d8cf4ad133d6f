"""What a policy file says to no effect: routing would take it, and its author would wait for something in vain."""

from collections.abc import Iterator
from typing import Final

from huntgroup_onebox.yaml_file import Field
from huntgroup_routing.core.messages import ApplyPolicy, ConfigureQueue
from huntgroup_routing.core.overflow import OverflowTrigger
from huntgroup_routing.core.values import WAITING_MAX_DEFAULT, Strategy, Vocabulary

RINGING: Final = (Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY)
USED_BY: Final = {"ring_max": RINGING, "ring_every_ms": RINGING, "scorer": (Strategy.SCORED,)}
"""Fields that only some strategies use."""
OF_CALLBACKS: Final = ("callback_retry_ms", "callbacks_max", "callback_dial_ms")


def without_effect(policy: ApplyPolicy) -> Iterator[tuple[Field, str]]:
    """Yield the way to each field that does nothing, and why."""
    yield from _twice(policy.vocabulary or Vocabulary())
    for queue in policy.queues:
        for field, why in (*_unused(queue), *_never(queue)):
            yield ("queues", queue.queue_id, *field), why


def _twice(words: Vocabulary) -> Iterator[tuple[Field, str]]:
    for section, names in (("languages", words.languages), ("groups", words.groups)):
        for index, name in enumerate(names):
            if name in names[:index]:
                yield (section, index), "is there twice"


def _unused(queue: ConfigureQueue) -> Iterator[tuple[Field, str]]:
    strategy = queue.strategy or Strategy.LONGEST_IDLE
    for name, users in USED_BY.items():
        if getattr(queue, name) and strategy not in users:
            yield (name,), f"says nothing: strategy {strategy} does not use it"
    for name in () if queue.callback_attempts else OF_CALLBACKS:
        if getattr(queue, name):
            yield (name,), "says nothing: without callback_attempts the queue takes no callbacks"


def _never(queue: ConfigureQueue) -> Iterator[tuple[Field, str]]:
    waiting_max = queue.waiting_max or WAITING_MAX_DEFAULT
    for index, rule in enumerate(queue.overflow):
        if rule.trigger is OverflowTrigger.QUEUE_LENGTH and rule.limit > waiting_max:
            yield ("overflow", index, "limit"), f"is never come to: waiting_max is {waiting_max}"
