"""What really became of offers and contacts, read from routing's journal before a shadow plays the same."""

from collections import Counter
from dataclasses import dataclass, field

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
from huntgroup_routing.core.values import AgentId, ContactId, OfferId, QueueId


@dataclass(slots=True, eq=False)
class Fate:
    """What became of one contact: times in ms, None for what did not happen while the log was written."""

    queue_id: QueueId
    came_at_ms: int
    answered_at_ms: int | None = None
    agent_id: AgentId | None = None
    ring_ms: int = 0
    handle_ms: int | None = None
    left_at_ms: int | None = None


@dataclass(slots=True)
class Past:
    """Takes the events of one domain, in order."""

    fates: dict[ContactId, Fate] = field(default_factory=dict)
    noticed_at_ms: dict[ContactId, list[int]] = field(default_factory=dict)
    """When a contact came to a step, left its queue, rang more widely, or waited for certain agents no more."""
    missed: dict[ContactId, list[OfferExpired | OfferRejected]] = field(default_factory=dict)
    """The offers that agents declined or let ring out, by contact."""
    ringing: set[OfferId] = field(default_factory=set)
    """Those of which no end is told."""
    offers: set[OfferId] = field(default_factory=set)
    outcomes: dict[OfferId, type[Event]] = field(default_factory=dict)
    """Of the offers that came to nothing, by which event."""
    threshold_ms: dict[QueueId, int] = field(default_factory=dict)
    """Of the service level of each queue, as it was last."""
    _answered: dict[OfferId, ContactId] = field(default_factory=dict)
    _rings: Counter[QueueId] = field(default_factory=Counter)
    _rang_ms: Counter[QueueId] = field(default_factory=Counter)
    _handled: Counter[QueueId] = field(default_factory=Counter)
    _handled_ms: Counter[QueueId] = field(default_factory=Counter)

    def take(self, event: Event) -> None:
        """Note what an event tells."""
        match event:
            case ContactEnqueued():
                self._came(event)
            case OfferCreated():
                self.offers.add(event.offer_id)
                self.ringing.add(event.offer_id)
            case OfferAccepted():
                self._accepted(event)
            case AgentCapacityFreed():
                self._freed(event)
            case ContactDequeued() if event.contact_id in self.fates:
                self.fates[event.contact_id].left_at_ms = event.at_ms
                self.noticed_at_ms.setdefault(event.contact_id, []).append(event.at_ms)
            case OfferExpired() | OfferCanceled() | OfferRescinded() | OfferRejected():
                self.outcomes[event.offer_id] = type(event)
                self.ringing.discard(event.offer_id)
                if isinstance(event, OfferExpired | OfferRejected):
                    self.missed.setdefault(event.contact_id, []).append(event)
            case (
                ContactStepped()
                | RingWidened()
                | ContactMoved()
                | ContactKept()
                | PreferenceLapsed()
            ):
                self.noticed_at_ms.setdefault(event.contact_id, []).append(event.at_ms)
            case QueueConfigured():
                self.threshold_ms[event.queue_id] = event.service_level_threshold_ms
            case _:
                pass

    def _came(self, event: ContactEnqueued) -> None:
        """Note a contact; one that was handed back and comes again came when it came first."""
        fate = self.fates.setdefault(event.contact_id, Fate(event.queue_id, event.enqueued_at_ms))
        fate.left_at_ms = None

    def _accepted(self, event: OfferAccepted) -> None:
        self.ringing.discard(event.offer_id)
        fate = self.fates.get(event.contact_id)
        if fate is not None:
            fate.answered_at_ms, fate.agent_id = event.at_ms, event.agent_id
            fate.ring_ms = event.ring_ms
            self._answered[event.offer_id] = event.contact_id
            self._rings[fate.queue_id] += 1
            self._rang_ms[fate.queue_id] += event.ring_ms

    def _freed(self, event: AgentCapacityFreed) -> None:
        contact_id = self._answered.pop(event.offer_id, None)
        if contact_id is None:
            return
        fate = self.fates[contact_id]
        assert fate.answered_at_ms is not None
        fate.handle_ms = event.at_ms - fate.answered_at_ms
        self._handled[fate.queue_id] += 1
        self._handled_ms[fate.queue_id] += fate.handle_ms

    def ring_ms(self, contact_id: ContactId) -> int:
        """Return how long a contact rang before it was answered, or the mean of its queue where it never was."""
        fate = self.fates[contact_id]
        if fate.answered_at_ms is not None:
            return fate.ring_ms
        return self._rang_ms[fate.queue_id] // max(1, self._rings[fate.queue_id])

    def handle_ms(self, contact_id: ContactId) -> int:
        """Return how long a contact was handled, or the mean of its queue where it never was to its end."""
        fate = self.fates[contact_id]
        if fate.handle_ms is not None:
            return fate.handle_ms
        return self._handled_ms[fate.queue_id] // max(1, self._handled[fate.queue_id])
