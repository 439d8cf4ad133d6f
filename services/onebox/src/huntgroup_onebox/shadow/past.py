"""What really became of offers and contacts, read from routing's journal before a shadow plays the same."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from msgspec import Struct

from huntgroup_routing.core.messages import (
    AgentCapacityFreed,
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ContactMoved,
    ContactStepped,
    Event,
    OfferAccepted,
    OfferCanceled,
    OfferCreated,
    OfferExpired,
    OfferRejected,
    OfferRescinded,
    PreferenceLapsed,
    QueueConfigured,
    RingWidened,
)
from huntgroup_routing.core.values import AgentId, ContactId, DequeueReason, OfferId, QueueId

THRESHOLD_MS: Final = 20_000
"""Of the service level of a queue that was never seen to be configured."""


class Fate(Struct, eq=False, gc=False):
    """What became of one contact: times in ms, None for what did not happen while the log was written."""

    queue_id: QueueId
    came_at_ms: int
    threshold_ms: int
    """Of the service level of its queue when it came."""
    answered_at_ms: int | None = None
    agent_id: AgentId | None = None
    ring_ms: int = 0
    handle_ms: int | None = None
    left_at_ms: int | None = None
    gave_up: bool = False
    """It was its customer who left; else a rule sent it out of routing, or a callback is put off or over."""


class Answer(Struct, frozen=True, gc=False):
    """Whom a contact was answered by in the shadow, and when (ms)."""

    agent_id: AgentId
    at_ms: int


@dataclass(slots=True)
class Past:
    """Takes the events of one domain, in order."""

    fates: dict[ContactId, Fate] = field(default_factory=dict)
    noticed_at_ms: dict[ContactId, list[int]] = field(default_factory=dict)
    """When a contact came to a step, left its queue, rang more widely, or waited for certain agents no more."""
    missed: dict[ContactId, list[OfferExpired | OfferRejected]] = field(default_factory=dict)
    """The offers that agents declined or let ring out, by contact."""
    outcomes: dict[OfferId, type[Event] | None] = field(default_factory=dict)
    """Of all offers, by which event they ended; None: that is not told."""
    _threshold_ms: dict[QueueId, int] = field(default_factory=dict)
    _answered: dict[OfferId, Fate] = field(default_factory=dict)
    _usual: dict[QueueId, tuple[int, int]] | None = None
    """How long contacts of a queue ring and are handled, in the mean; reckoned when it is asked first."""

    def take(self, event: Event) -> None:
        """Note what an event tells."""
        note = self._NOTES.get(type(event))
        if note is not None:
            note(self, event)

    def _came(self, event: ContactEnqueued) -> None:
        """Note a contact; one that was handed back and comes again came when it came first."""
        fate = self.fates.get(event.contact_id)
        if fate is None:
            threshold_ms = self._threshold_ms.get(event.queue_id, THRESHOLD_MS)
            fate = Fate(event.queue_id, event.enqueued_at_ms, threshold_ms)
            self.fates[event.contact_id] = fate
        else:
            fate.left_at_ms = None

    def _offered(self, event: OfferCreated) -> None:
        self.outcomes[event.offer_id] = None

    def _accepted(self, event: OfferAccepted) -> None:
        self.outcomes[event.offer_id] = OfferAccepted
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
            self.noticed_at_ms.setdefault(event.contact_id, []).append(event.at_ms)

    def _ended(self, event: OfferExpired | OfferRejected | OfferCanceled | OfferRescinded) -> None:
        self.outcomes[event.offer_id] = type(event)
        if isinstance(event, OfferExpired | OfferRejected):
            self.missed.setdefault(event.contact_id, []).append(event)

    def _noticed(
        self, event: ContactStepped | RingWidened | ContactMoved | ContactKept | PreferenceLapsed
    ) -> None:
        self.noticed_at_ms.setdefault(event.contact_id, []).append(event.at_ms)

    def _configured(self, event: QueueConfigured) -> None:
        self._threshold_ms[event.queue_id] = event.service_level_threshold_ms

    def tells(self, contact_id: ContactId, at_ms: int, late_ms: int) -> bool:
        """Return whether something became of a contact without a fact at a moment, or not much later."""
        noticed = self.noticed_at_ms.get(contact_id, ())
        return any(at_ms <= one <= at_ms + late_ms for one in noticed)

    def ring_ms(self, contact_id: ContactId) -> int:
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
        OfferCreated: _offered,
        OfferAccepted: _accepted,
        AgentCapacityFreed: _freed,
        ContactDequeued: _left,
        **dict.fromkeys((OfferExpired, OfferRejected, OfferCanceled, OfferRescinded), _ended),
        **dict.fromkeys(
            (ContactStepped, RingWidened, ContactMoved, ContactKept, PreferenceLapsed), _noticed
        ),
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
