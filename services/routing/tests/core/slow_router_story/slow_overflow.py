"""What the slow router does with contacts that a queue does not take, or lets go: each rule looked at anew."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from huntgroup_routing.core.messages import ObserveContactQueued
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import RoutingStep, StepTrigger

from .slow_lines import SlowLines
from .slow_people import can

if TYPE_CHECKING:
    from .slow_people import SlowContact, SlowOffer


@dataclass
class SlowOverflow(SlowLines):
    offers: list["SlowOffer"] = field(default_factory=list)
    retired: set[str] = field(default_factory=set)
    """Queues that are not in the present policy: no rule leads there."""
    waiting: Counter[str] = field(default_factory=Counter)
    """How many waited in each queue before the present command."""

    def look(self) -> None:
        self.waiting = Counter(one.queue_id for one in self.contacts if not one.ringing)

    def holds(self, contact: "SlowContact", step: RoutingStep) -> bool:
        """Return whether what brings a contact to a step holds."""
        last = self.queues[contact.queue_id].answers[-50:]
        match step.trigger:
            case StepTrigger.QUEUE_LENGTH:
                return self.waiting[contact.queue_id] >= step.limit
            case StepTrigger.NOBODY_ON_DUTY:
                return not self.on_duty(replace(contact, asked_of=contact.groups))
            case StepTrigger.SERVICE_LEVEL:
                return len(last) >= 20 and 100 * sum(last) < step.limit * len(last)
            case _:
                return True

    def is_due(self, contact: "SlowContact") -> bool:
        waited_ms = self.at_ms - contact.enqueued_at_ms
        asked = sum(one.delay_ms <= waited_ms for one in contact.groups)
        by_time = any(one.trigger is None for one in contact.ahead(waited_ms))
        return by_time or asked > len(contact.asked_of)

    def is_due_by_condition(self, contact: "SlowContact") -> bool:
        ahead = contact.ahead(self.at_ms - contact.enqueued_at_ms)
        return any(self.holds(contact, one) for one in ahead)

    def is_outdated(self, contact: "SlowContact") -> bool:
        return not contact.ringing and contact.plan < self.queues[contact.queue_id].followed_from

    def left(self, contact: "SlowContact", *, answered: bool) -> None:
        """Count who was answered, or gave up after the threshold: by the time that they were on the line."""
        queue = self.queues[contact.queue_id]
        in_time = self.at_ms - contact.on_the_line_from_ms <= queue.threshold_ms
        if answered or not in_time:
            queue.answers.append(in_time)

    def on_duty(self, contact: "SlowContact") -> bool:
        return any(
            one.joined and contact.channel in one.slots and can(one, contact) for one in self.agents
        )

    def takes(self, command: ObserveContactQueued) -> bool:
        """Return whether a contact may come to its queue; a callback that comes back may, whatever its channel."""
        queue = self.queues.get(command.queue_id)
        return queue is not None and (command.returns or queue.fits(command.channel))

    def find_in_turn(self, contacts: list["SlowContact"]) -> None:
        raise NotImplementedError

    def enter(self, contact: "SlowContact", queue_id: str) -> None:
        queue = self.queues[queue_id]
        contact.queue_id, contact.entered_at_ms = queue_id, self.at_ms
        contact.follow(queue)
        contact.take_place(queue.point_ms)
        contact.go_on(self.at_ms, self.agents, self.holds)

    def comes(self, contact: "SlowContact") -> bool:
        """Let a contact come to its queue; return whether it stays in any."""
        queue_id = contact.queue_id
        self.enter(contact, queue_id)
        return self.stays(contact, self.on_arrival(contact, queue_id, Counter()))

    def stays(self, contact: "SlowContact", way: list[str]) -> bool:
        """Let a contact go its way through queues, an empty name for out; return whether it is still here."""
        for queue_id in way:
            if not queue_id:
                return False
            self.enter(contact, queue_id)
        return True

    def on_arrival(self, contact: "SlowContact", queue_id: str, came: Counter[str]) -> list[str]:
        """Return the way of who comes to a queue: what others who came in this decision went counts already."""
        for rule in self.queues[queue_id].overflow:
            holds = self.rule_holds(rule, contact, queue_id, came)
            if holds and (way := self.way_by(rule, contact, came)):
                return way
        return []

    def way_by(self, rule: OverflowRule, contact: "SlowContact", came: Counter[str]) -> list[str]:
        if rule.action is not OverflowAction.QUEUE:
            return [""]
        if rule.queue_id in self.retired or not self.queues[rule.queue_id].fits(contact.channel):
            return []
        return [rule.queue_id, *self.on_arrival(contact, rule.queue_id, came)]

    def rule_holds(
        self, rule: OverflowRule, contact: "SlowContact", queue_id: str, came: Counter[str]
    ) -> bool:
        if contact.returns and rule.trigger is not OverflowTrigger.CLOSED:
            return False
        waiting = [one for one in self.contacts if one.queue_id == queue_id and not one.ringing]
        match rule.trigger:
            case OverflowTrigger.QUEUE_LENGTH:
                return len(waiting) + came[queue_id] >= rule.limit
            case OverflowTrigger.LONGEST_WAIT:
                return any(self.at_ms - one.waits_from_ms >= rule.limit for one in waiting)
            case OverflowTrigger.ESTIMATED_WAIT:
                return self.estimated_wait_ms(contact, queue_id) >= rule.limit
            case OverflowTrigger.NOBODY_ON_DUTY:
                like = replace(contact)
                self.enter(like, queue_id)
                return not any(map(self.on_duty, like.at_each_step(self.queues[queue_id])))
            case _:
                return False

    def waited_enough(self) -> bool:
        def leaves_at_ms(contact: "SlowContact") -> tuple[int, str]:
            return contact.leaves_at_ms or 0, contact.contact_id

        due = [
            one
            for one in self.contacts
            if not one.ringing and one.leaves_at_ms is not None and one.leaves_at_ms <= self.at_ms
        ]
        came = Counter[str]()
        ways: list[tuple[SlowContact, list[str]]] = []
        for contact in sorted(due, key=leaves_at_ms):
            rules = (one for one in contact.overflow if one.trigger is OverflowTrigger.WAITED)
            way = self.way_by(next(rules), contact, came)
            if way:
                came[way[-1]] += 1
                ways.append((contact, way))
            else:
                contact.kept_until_ms = self.at_ms + 30_000
        self.go(ways)
        return bool(due)

    def exited(self, contact_id: str, key: str) -> None:
        for contact in [one for one in self.contacts if one.contact_id == contact_id]:
            rules = [one for one in contact.overflow if one.key == key]
            if rules and (way := self.way_by(rules[0], contact, Counter())):
                for offer in self.offers:
                    if offer.pending and offer.contact is contact:
                        offer.pending = contact.ringing = False
                        contact.asked, contact.target, contact.widens_at_ms = set(), 0, 0
                self.go([(contact, way)])

    def go(self, ways: list[tuple["SlowContact", list[str]]]) -> None:
        stay = []
        for contact, way in ways:
            self.gave_up(contact)
            if self.stays(contact, way):
                self.stand(contact)
                stay.append(contact)
        self.contacts = [
            one
            for one in self.contacts
            if one in stay or all(one is not contact for contact, _ in ways)
        ]
        self.find_in_turn(stay)
