"""How long who comes to a queue of the slow router would wait: it keeps who stands in each lane, and nothing sorted.

The formula is that of the core, whose own tests judge it: what is compared is which departures it is fed with.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from huntgroup_routing.core.pace import Pace
from huntgroup_routing.core.values import Channel, Own, Skill

from .slow_people import can

if TYPE_CHECKING:
    from .slow_people import SlowAgent, SlowContact, SlowQueue

Key = tuple[int, Own]


@dataclass
class SlowLane:
    pace: Pace = field(default_factory=Pace)
    there: set[str] = field(default_factory=set)


def key_of(contact: "SlowContact") -> Key:
    """Contacts alike in priority and in what they ask by themselves stand in one lane."""
    skills = tuple(Skill(one) for one in sorted(contact.own_skills))
    return (contact.priority, Own(skills, contact.own_requirement))


@dataclass
class SlowLines:
    queues: dict[str, "SlowQueue"] = field(default_factory=dict)
    contacts: list["SlowContact"] = field(default_factory=list)
    agents: list["SlowAgent"] = field(default_factory=list)
    at_ms: int = 0
    lanes: dict[str, dict[Key, SlowLane]] = field(default_factory=dict)

    def lane(self, contact: "SlowContact") -> SlowLane:
        of_queue = self.lanes.setdefault(contact.queue_id, {})
        return of_queue.setdefault(key_of(contact), SlowLane())

    def stand(self, contact: "SlowContact") -> None:
        lane = self.lane(contact)
        if not lane.there:
            lane.pace.since_ms = self.at_ms
        lane.there.add(contact.contact_id)

    def stand_again(self, contact: "SlowContact") -> None:
        """Let a contact stand that no agent took who was asked."""
        self.stand(contact)
        self.lane(contact).pace.come_back()

    def fetched(self, contact: "SlowContact") -> None:
        lane = self.lane(contact)
        if len(lane.there) > 1 or self.at_ms != lane.pace.since_ms:
            lane.pace.fetch(self.at_ms, max(0, self.at_ms - contact.entered_at_ms))
        lane.there.remove(contact.contact_id)

    def gave_up(self, contact: "SlowContact") -> None:
        """Let a contact go that stands in its lane; who rings does not, and who came a moment ago did not wait."""
        lane, waited_ms = self.lane(contact), self.at_ms - contact.entered_at_ms
        if contact.contact_id not in lane.there:
            return
        if waited_ms:
            lane.pace.give_up(self.at_ms, max(0, waited_ms), last=len(lane.there) == 1)
        lane.there.remove(contact.contact_id)

    def estimated_wait_ms(self, contact: "SlowContact", queue_id: str) -> int:
        """Return how long a contact would wait that comes now; 0 while nothing is known."""
        lanes = self.lanes.get(queue_id, {})
        standing = sum(len(one.there) for one in lanes.values())
        if not standing and self.anybody_idle(queue_id, contact.channel):
            return 0
        own = lanes.get(key_of(contact))
        told = None
        if own is not None:
            told = own.pace.estimate(len(own.there) + 1, self.at_ms, empty=not own.there)
        if told is None and lanes:
            best = lanes[min(lanes, key=lambda key: (-lanes[key].pace.fetched, key))]
            told = best.pace.estimate(standing + 1, self.at_ms, empty=not best.there)
        return 0 if told is None else told.wait_ms

    def anybody_idle(self, queue_id: str, channel: Channel) -> bool:
        """Return whether an agent is idle for the queue, whatever the contact asks by itself."""
        queue = self.queues[queue_id]
        like = queue.anybody(channel)
        return any(channel in one.idle and can(one, like) for one in self.agents)
