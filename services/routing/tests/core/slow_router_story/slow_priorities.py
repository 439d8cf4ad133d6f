"""What a supervisor does with the priorities of those who wait in the slow router; a point is worth no time there."""

from dataclasses import dataclass, field

from huntgroup_routing.core.messages import Command, SetContactPriority, SetQueuePriority
from huntgroup_routing.core.values import REPRIORITIZED_PER_DECISION_MAX

from .slow_people import SlowContact
from .slow_router import Outcome, SlowRouter


@dataclass
class SlowPriorities(SlowRouter):
    about: dict[str, int] = field(default_factory=dict)
    """Whose queue was given another priority, and which, in the order in which they come to stand by it."""

    def tell(self, command: Command, at_ms: int) -> list[Outcome]:
        match command:
            case SetContactPriority(contact_id=contact_id, priority=priority):
                self.at_ms = at_ms
                for contact in [one for one in self.contacts if one.contact_id == contact_id]:
                    self.stand_by(contact, priority)
                return []
            case SetQueuePriority(queue_id=queue_id, priority=priority):
                self.at_ms = at_ms
                self.queue_given(queue_id, priority)
                return []
            case _:
                made = super().tell(command, at_ms)
        here = {one.contact_id for one in self.contacts}
        self.about = {key: one for key, one in self.about.items() if key in here}
        return made

    def queue_given(self, queue_id: str, priority: int) -> None:
        """First the first of those who are raised, then the last of those who are lowered."""
        there = sorted(
            (one for one in self.contacts if one.queue_id == queue_id), key=lambda one: one.place
        )
        raised = [one for one in there if one.priority < priority]
        lowered = [one for one in reversed(there) if one not in raised]
        for contact in [*raised, *lowered]:
            if contact.priority != priority or contact.contact_id in self.about:
                self.about.pop(contact.contact_id, None)
                self.about[contact.contact_id] = priority

    def waited_enough(self) -> bool:
        following = [*self.about.items()][:REPRIORITIZED_PER_DECISION_MAX]
        for contact_id, priority in following:
            [contact] = [one for one in self.contacts if one.contact_id == contact_id]
            self.stand_by(contact, priority)
        return bool(following) or super().waited_enough()

    def enter(self, contact: SlowContact, queue_id: str) -> None:
        super().enter(contact, queue_id)
        self.about.pop(contact.contact_id, None)

    def stand_by(self, contact: SlowContact, priority: int) -> None:
        stood = contact.contact_id in self.lane(contact).there
        self.lane(contact).there.discard(contact.contact_id)
        contact.priority = priority
        contact.take_place(0)
        if stood:
            self.stand(contact)
        self.about.pop(contact.contact_id, None)
