"""A faulty policy without its faults, so that everything else in it can be looked at, too.

What is wrong is left out, or stands as in a queue that asks for nothing: that can hide a fault, but makes up none.
"""

from collections.abc import Sequence
from typing import Final

from huntgroup.routing.v1.commands_pb2 import ApplyPolicyRequest, ConfigureQueueRequest
from huntgroup_onebox.yaml_file import Field

PLAIN: Final = ConfigureQueueRequest(ring_timeout_ms=20_000, service_level_threshold_ms=20_000)
NEEDED: Final = frozenset(one.name for one, _ in PLAIN.ListFields())
TIED: Final = {"required_skills": ("steps",), "requirement": ("steps",)}
"""Fields that another is compared with."""


def mended(
    request: ApplyPolicyRequest, faulty: Sequence[Field], names: Sequence[str]
) -> ApplyPolicyRequest:
    """Return a copy without what is faulty; `names` are those of the queues, in their order."""
    copied = ApplyPolicyRequest()
    copied.CopyFrom(request)
    places = {name: index for index, name in enumerate(names)}
    for way in faulty:
        match way:
            case ("queues", name) if name in places:
                _replace(copied.queues[places[name]])
            case ("queues", name, field, *_) if name in places:
                _reset(copied.queues[places[name]], str(field))
            case ("skills" | "languages" | "groups" as section, *_):
                copied.vocabulary.ClearField(section)
            case _:
                pass
    for index, queue in enumerate(copied.queues):
        queue.queue_id = queue.queue_id or f"queue-{index}"
    return copied


def _replace(queue: ConfigureQueueRequest) -> None:
    queue_id = queue.queue_id
    queue.CopyFrom(PLAIN)
    queue.queue_id = queue_id


def _reset(queue: ConfigureQueueRequest, field: str) -> None:
    for name in (field, *TIED.get(field, ())):
        if name in queue.DESCRIPTOR.fields_by_name:
            queue.ClearField(name)
            if name in NEEDED:
                setattr(queue, name, getattr(PLAIN, name))
