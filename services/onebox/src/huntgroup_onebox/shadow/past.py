"""What really became of offers and contacts, read from routing's journal before a shadow plays the same."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, get_args

from msgspec import Struct

from huntgroup_onebox.coming import came_at_ms
from huntgroup_routing.core.messages import (
    AgentCapacityFreed,
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    ContactReplanned,
    ContactReprioritized,
    ContactStepped,
    Event,
    GroupBlended,
    GroupUnblended,
    OfferAccepted,
    OfferExpired,
    OfferRejected,
    PreferenceLapsed,
    QueueClosed,
    QueueConfigured,
    QueueOpened,
    RingWidened,
)
from huntgroup_routing.core.values import AgentId, ContactId, DequeueReason, OfferId, QueueId

OfContact = (
    ContactKept
    | ContactMoved
    | ContactReplanned
    | ContactReprioritized
    | ContactStepped
    | PreferenceLapsed
    | RingWidened
)
OfQueue = GroupBlended | GroupUnblended | QueueClosed | QueueOpened

THRESHOLD_MS: Final = 20_000
"""Of the service level of a queue that was never seen to be configured."""


class Fate(Struct, eq=False, gc=False):
    """What became of one contact that came: times in ms, None for what did not happen while the log was written."""

    queue_id: QueueId
    came_at_ms: int
    """Since when its wait counts."""
    told_at_ms: int
    """When routing heard of it."""
    threshold_ms: int
    """Of the service level of its queue when it came."""
    answered_at_ms: int | None = None
    agent_id: AgentId | None = None
    ring_ms: int = 0
    handle_ms: int | None = None
    left_at_ms: int | None = None
    gave_up: bool = False
    """It was its customer who left; else a rule sent it out of routing, or a callback is put off or over."""
    before: "Fate | None" = None
    """What became of it when it came the time before: it was handed back, or is called back now."""

    def each(self) -> "Sequence[Fate]":
        """Return what became of it each time that it came, the first time first."""
        if self.before is None:
            return (self,)
        return (*self.before.each(), self)


class Answer(Struct, frozen=True, gc=False):
    """Whom a contact was answered by in the shadow, and when (ms)."""

    agent_id: AgentId
    at_ms: int


@dataclass(slots=True)
class Past:
    """Takes the decisions of one domain, each the events that followed from one command or fact, in order."""

    fates: dict[ContactId, Fate] = field(default_factory=dict)
    """Of the last time that each came: who was answered does not come again."""
    missed: dict[ContactId, list[OfferExpired | OfferRejected]] = field(default_factory=dict)
    """The offers that agents declined or let ring out, by contact."""
    _noticed_at_ms: dict[str, list[int]] = field(default_factory=dict)
    """When something came of a contact or a queue (by its id) that time may bring, whether it did or somebody."""
    _threshold_ms: dict[QueueId, int] = field(default_factory=dict)
    _answered: dict[OfferId, Fate] = field(default_factory=dict)
    _usual: dict[QueueId, tuple[int, int]] | None = None
    """How long contacts of a queue ring and are handled, in the mean; reckoned when it is asked first."""

    @property
    def queues(self) -> KeysView[QueueId]:
        """The queues that were ever made, as far as is known when it is looked at."""
        return self._threshold_ms.keys()

    def take(self, decision: Iterable[Event]) -> None:
        """Note what the events tell."""
        notes = self._NOTES
        for event in decision:
            note = notes.get(type(event))
            if note is not None:
                note(self, event)

    def _came(self, event: ContactEnqueued) -> None:
        """Note a contact; one that comes again begins to wait anew, as in reports."""
        threshold_ms = self._threshold_ms.get(event.queue_id, THRESHOLD_MS)
        fate = Fate(event.queue_id, came_at_ms(event), event.at_ms, threshold_ms)
        fate.before = self.fates.get(event.contact_id)
        self.fates[event.contact_id] = fate

    def _accepted(self, event: OfferAccepted) -> None:
        fate = self.fates.get(event.contact_id)
        if fate is not None:
            fate.answered_at_ms, fate.agent_id = event.at_ms, event.agent_id
            fate.ring_ms = event.ring_ms
            self._answered[event.offer_id] = fate

    def _freed(self, event: AgentCapacityFreed) -> None:
        fate = self._answered.pop(event.offer_id, None)
        if fate is not None and fate.answered_at_ms is not None:
            fate.handle_ms = event.at_ms - fate.answered_at_ms

    def _left(self, event: ContactDequeued) -> None:
        fate = self.fates.get(event.contact_id)
        if fate is not None:
            fate.left_at_ms = event.at_ms
            fate.gave_up = event.reason is DequeueReason.CUSTOMER_LEFT
            self._notice(event.contact_id, event.at_ms)

    def _missed(self, event: OfferExpired | OfferRejected) -> None:
        self.missed.setdefault(event.contact_id, []).append(event)
        self._notice(event.contact_id, event.at_ms)

    def _of_contact(self, event: OfContact) -> None:
        self._notice(event.contact_id, event.at_ms)

    def _of_queue(self, event: OfQueue) -> None:
        self._notice(event.queue_id, event.at_ms)

    def _notice(self, subject: str, at_ms: int) -> None:
        self._noticed_at_ms.setdefault(subject, []).append(at_ms)

    def _configured(self, event: QueueConfigured) -> None:
        self._threshold_ms[event.queue_id] = event.service_level_threshold_ms

    def noticed_at_ms(self, subject: str, due_ms: int, late_ms: int) -> int | None:
        """Return when something really came of a contact or queue from a moment on, not much later; None: nothing."""
        noticed = self._noticed_at_ms.get(subject, ())
        place = bisect_left(noticed, due_ms)
        found = noticed[place] if place < len(noticed) else None
        return None if found is None or found > due_ms + late_ms else found

    def ending(self, contact_id: ContactId, missed: int) -> tuple[int, type[Event]]:
        """Return after how long, and by which event, an offer ends that nobody made, of a contact missed so often."""
        misses = self.missed.get(contact_id, ())
        if missed < len(misses):
            return misses[missed].ring_ms, type(misses[missed])
        return self._ring_ms(contact_id), OfferAccepted

    def _ring_ms(self, contact_id: ContactId) -> int:
        """Return how long a contact rang before it was answered, or the mean of its queue where it never was."""
        fate = self.fates[contact_id]
        if fate.answered_at_ms is not None:
            return fate.ring_ms
        return self._usual_of(fate.queue_id)[0]

    def handle_ms(self, contact_id: ContactId) -> int:
        """Return how long a contact was handled, or the mean of its queue where it never was to its end."""
        fate = self.fates[contact_id]
        return self._usual_of(fate.queue_id)[1] if fate.handle_ms is None else fate.handle_ms

    def _usual_of(self, queue_id: QueueId) -> tuple[int, int]:
        if self._usual is None:
            self._usual = _usual(self.fates.values())
        return self._usual.get(queue_id, (0, 0))

    _NOTES: ClassVar[Mapping[type[Event], Callable[["Past", Any], None]]] = {
        ContactEnqueued: _came,
        OfferAccepted: _accepted,
        AgentCapacityFreed: _freed,
        ContactDequeued: _left,
        **dict.fromkeys((OfferExpired, OfferRejected), _missed),
        **dict.fromkeys(get_args(OfContact), _of_contact),
        **dict.fromkeys(get_args(OfQueue), _of_queue),
        QueueConfigured: _configured,
    }


def _usual(fates: Iterable[Fate]) -> dict[QueueId, tuple[int, int]]:
    """Return the mean times of ringing and handling by queue."""
    rang, handled = Counter[QueueId](), Counter[QueueId]()
    rang_ms, handled_ms = Counter[QueueId](), Counter[QueueId]()
    for fate in fates:
        if fate.answered_at_ms is not None:
            rang[fate.queue_id] += 1
            rang_ms[fate.queue_id] += fate.ring_ms
        if fate.handle_ms is not None:
            handled[fate.queue_id] += 1
            handled_ms[fate.queue_id] += fate.handle_ms
    return {
        queue_id: (rang_ms[queue_id] // count, handled_ms[queue_id] // max(1, handled[queue_id]))
        for queue_id, count in rang.items()
    }
