"""What became of one contact in routing, decision by decision, and why: told from the events of its journal alone.

Every offer says itself by which rule it was made. Who was passed over is found by following who waits and who can do
what; nothing is decided anew, so the story holds for journals of older versions and for ones whose beginning is gone.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from huntgroup_onebox.explain_floor import (
    NO_GROUPS,
    Agent,
    Contact,
    awaited_of,
    groups_named,
    why_passed_over,
)
from huntgroup_onebox.explain_words import CANCELED, LEFT, agents_text, needs_text
from huntgroup_routing.app.queries import overflow_text, time_text, trigger_text, why_text
from huntgroup_routing.core import messages as routing
from huntgroup_routing.core.concurrency import concurrency_of
from huntgroup_routing.core.expressions import who_is
from huntgroup_routing.core.values import ContactId, RescindReason, place_of

PASSED_OVER_SHOWN: Final = 10
BUSY_TOLD_MAX: Final = 3


@dataclass(slots=True)
class Step:
    """Something that happened to the contact."""

    at_ms: int
    what: str
    text: str
    details: list[str] = field(default_factory=list)


class Story:
    """Follows one domain's events, and tells what concerns one contact."""

    def __init__(self, contact_id: str) -> None:
        self.contact_id = ContactId(contact_id)
        self.steps: list[Step] = []
        self._agents: dict[str, Agent] = {}
        self._contacts: dict[str, Contact] = {}
        self._named: dict[str, frozenset[str]] = {}
        """By queue, the groups that its rules name, asked or not."""
        self._waits = False
        self._step = 0
        self._passed: Counter[str] = Counter()
        self._passed_first: list[str] = []

    def take(self, event: routing.Event) -> None:
        """Take the next event of the domain."""
        match event:
            case (
                routing.AgentJoined()
                | routing.AgentLeft()
                | routing.AgentBecameEligible()
                | routing.AgentBecameIneligible()
                | routing.AgentCapacityFreed()
            ):
                self._agent(event)
            case routing.ContactEnqueued():
                self._enqueued(event)
            case routing.ContactStepped() | routing.ContactReplanned():
                self._stepped(event)
            case routing.ContactMoved():
                self._moved(event)
            case routing.OfferCreated():
                self._offered(event)
            case routing.QueueClosed() | routing.QueueOpened():
                pass
            case routing.GroupBlended() | routing.GroupUnblended():
                pass  # who waits tells by a new plan that other groups are asked
            case routing.QueueConfigured():
                self._named[event.queue_id] = groups_named(event)
            case routing.QueueRetired() | routing.PolicyApplied():
                pass
            case routing.QueueReprioritized():
                pass  # told of each contact
            case _:
                self._ended(event)

    def finish(self) -> list[Step]:
        """Return the steps; of a contact that waits still, who was passed over so far comes last."""
        if self._waits and self.steps:
            self._tell_passed(self.steps[-1])
        return self.steps

    def values(self) -> list[dict[str, Any]]:
        """Return the steps for programs."""
        return [
            {"at_ms": one.at_ms, "what": one.what, "text": one.text, "details": one.details}
            for one in self.steps
        ]

    def _agent(self, event: Any) -> None:
        if isinstance(event, routing.AgentJoined):
            before = self._agents.get(event.agent_id)
            levels = dict.fromkeys(event.skills, 1)
            if event.traits is not None:
                levels.update((one.skill, one.level) for one in event.traits.skill_levels)
            self._agents[event.agent_id] = Agent(
                agent_id=event.agent_id,
                who=who_is(levels, event.traits),
                skills=frozenset(event.skills),
                slots={one.channel: one.slots for one in event.capacity},
                concurrency=concurrency_of(event.capacity_units, event.capacity),
                held={} if before is None else before.held,
            )
            return
        agent = self._agents.get(event.agent_id)
        if agent is None:
            return  # what came before is gone
        match event:
            case routing.AgentLeft():
                agent.ready, agent.slots, agent.skills = False, {}, frozenset()
                agent.concurrency = None
            case routing.AgentBecameEligible():
                agent.ready = True
            case routing.AgentBecameIneligible():
                agent.ready = False
            case _:
                agent.held.pop(event.offer_id, None)

    def _enqueued(self, event: routing.ContactEnqueued) -> None:
        contact = Contact(
            place=place_of(
                event.priority, event.enqueued_at_ms, event.contact_id, event.priority_point_ms
            ),
            channel=event.channel,
            skills=frozenset(event.required_skills),
            requirement=event.requirement,
            own_requirement=event.own_requirement,
            groups=event.groups,
            since=(event.enqueued_at_ms, event.priority_point_ms),
            named=self._named.get(event.queue_id, NO_GROUPS),
            awaited=awaited_of(event),
            awaits_turn=event.awaits_turn,
        )
        self._contacts[event.contact_id] = contact
        if event.contact_id != self.contact_id:
            return
        needs = needs_text(event.channel, event, event.own_requirement)
        text = f"in {event.queue_id}, priority {event.priority}; it needs {needs}"
        text += f"; with the age of {event.resumes}, whose customer left" if event.resumes else ""
        text += "; nobody is asked before its turn is near" if event.awaits_turn else ""
        if event.awaited_agents:
            text += f"; at first for {' or '.join(event.awaited_agents)}"
            if event.awaited_until_ms:
                text += f", until {time_text(event.awaited_until_ms)}"
        what = "came back as a callback" if event.returns else "took its place"
        self.steps.append(Step(event.at_ms, what, text, [self._who_can(contact)]))
        self._waits, self._step = True, 0

    def _stepped(self, event: routing.ContactStepped | routing.ContactReplanned) -> None:
        contact = self._contacts.get(event.contact_id)
        if contact is None:
            return
        contact.skills = frozenset(event.required_skills)
        contact.requirement, contact.groups = event.requirement, event.groups
        if isinstance(event, routing.ContactReplanned):
            contact.named = self._named.get(event.queue_id, NO_GROUPS)
        if event.contact_id != self.contact_id:
            return
        needs = needs_text(contact.channel, event, contact.own_requirement)
        if self.steps:
            self._tell_passed(self.steps[-1])
        what = f"came to step {event.step}"
        if event.step == self._step:
            what = "is shown to further groups"
        self._step = event.step
        if isinstance(event, routing.ContactReplanned):
            what = f"follows a new plan, step {event.step}" if event.step else "follows a new plan"
        step = Step(event.at_ms, what, f"it needs {needs}")
        if event.trigger is not None:
            step.details.append(trigger_text(event.trigger, event.value, event.limit))
        if event.skipped:
            step.details.append(f"{event.skipped} left out that nobody signed on could serve")
        step.details.append(self._who_can(contact))
        self.steps.append(step)

    def _moved(self, event: routing.ContactMoved) -> None:
        contact = self._contacts.get(event.contact_id)
        if contact is None:
            return
        contact.place = place_of(
            event.priority, event.enqueued_at_ms, event.contact_id, event.priority_point_ms
        )
        contact.skills = frozenset(event.required_skills)
        contact.requirement, contact.groups = event.requirement, event.groups
        contact.since = (event.enqueued_at_ms, event.priority_point_ms)
        contact.named = self._named.get(event.queue_id, NO_GROUPS)
        contact.awaited = awaited_of(event)
        if event.contact_id != self.contact_id:
            return
        if self.steps:
            self._tell_passed(self.steps[-1])
        text = f"from {event.from_queue_id}, with its age since {time_text(event.enqueued_at_ms)}"
        if event.awaited_agents:
            text += f"; at first for {' or '.join(event.awaited_agents)}"
        text += f"; it comes to step {event.step} there" if event.step else ""
        step = Step(event.at_ms, f"moved to {event.queue_id}", text)
        if event.overflow is not None:
            step.details.append(overflow_text(event.overflow))
        if event.step_trigger is not None:
            why = trigger_text(event.step_trigger, event.step_value, event.step_limit)
            step.details.append(f"to step {event.step}: {why}")
        step.details.append(self._who_can(contact))
        self.steps.append(step)
        self._waits, self._step = True, event.step

    def _who_can(self, contact: Contact) -> str:
        able = [
            agent
            for agent in self._agents.values()
            if contact.channel in agent.slots and contact.met_by(agent)
        ]
        whys = ((one.agent_id, one.why_busy(contact.channel)) for one in able if one.ready)
        busy = [(agent_id, why) for agent_id, why in whys if why is not None]
        away = sum(not agent.ready for agent in able)
        free = len(able) - len(busy) - away
        said = (
            f"{agents_text(len(able))} signed on can serve it: {free:,} free, {len(busy):,} busy,"
            f" {away:,} not ready"
        )
        told = [f"{agent_id} {why}" for agent_id, why in busy if why][:BUSY_TOLD_MAX]
        return f"{said}; {', '.join(told)}" if told else said

    def _offered(self, event: routing.OfferCreated) -> None:
        agent = self._agents.get(event.agent_id)
        if event.contact_id == self.contact_id:
            self._tell_offer(event)
        elif self._waits:
            self._pass_over(event, agent)
        if agent is not None:
            agent.held[event.offer_id] = event.channel

    def _tell_offer(self, event: routing.OfferCreated) -> None:
        if self.steps:
            self._tell_passed(self.steps[-1])
        self._waits = False
        step = Step(event.at_ms, f"rings at {event.agent_id}", f"offer {event.attempt}")
        if event.explanation is None:
            step.details.append("why was not written down by that version")
        else:
            agents, why = event.idle_agents, event.explanation
            step.details.append(why_text(why, event.agent_id, agents, event.at_ms))
            step.details.append(
                f"by version {why.policy_version} of queue {event.queue_id}, which counts its own changes alone"
            )
        self.steps.append(step)

    def _pass_over(self, event: routing.OfferCreated, agent: Agent | None) -> None:
        """Note why somebody who stands behind the contact was served before it."""
        mine, other = self._contacts[self.contact_id], self._contacts.get(event.contact_id)
        if other is None or other.channel != mine.channel or other.place < mine.place:
            return
        explained = event.explanation
        if explained is not None and explained.asked_by:
            why = f"{explained.asked_by} took it or gave it out by hand"
        else:
            had_it = agent is not None and agent.let_go(self.contact_id)
            why = why_passed_over(mine, other, event, agent, let_go=had_it)
        self._passed[why] += 1
        if len(self._passed_first) < PASSED_OVER_SHOWN:
            when = time_text(event.at_ms)
            said = f"{when} contact {event.contact_id} of {event.queue_id} went before: {why}"
            self._passed_first.append(said)

    def _tell_passed(self, step: Step) -> None:
        step.details += self._passed_first
        more = self._passed.total() - len(self._passed_first)
        if more > 0:
            step.details.append(f"and {more:,} more contacts went before")
        self._passed.clear()
        self._passed_first = []

    def _ended(self, event: Any) -> None:
        if (
            isinstance(event, routing.OfferRescinded)
            and event.reason is RescindReason.AGENT_TURNED_AWAY
            and event.agent_id in self._agents
        ):
            self._agents[event.agent_id].held.pop(event.offer_id, None)
        if (contact := self._contacts.get(event.contact_id)) is not None:
            contact.note(event)
        gone = isinstance(event, routing.OfferAccepted | routing.ContactDequeued)
        if event.contact_id == self.contact_id:
            self._tell_end(event)
        if gone:
            self._contacts.pop(event.contact_id, None)

    def _tell_end(self, event: Any) -> None:
        match event:
            case routing.OfferAccepted():
                what, text = f"accepted by {event.agent_id}", f"after ringing {_s(event.ring_ms)}"
            case routing.OfferRejected():
                reason = f": {event.reason}" if event.reason else ""
                what, text = f"rejected by {event.agent_id}", f"after {_s(event.ring_ms)}{reason}"
            case routing.OfferExpired():
                what, text = f"not answered by {event.agent_id}", f"for {_s(event.ring_ms)}"
            case routing.OfferCanceled():
                what = f"canceled at {event.agent_id}"
                text = (
                    f"{CANCELED[event.reason]} after {_s(event.ring_ms)} of ringing; nobody's miss"
                )
            case routing.ContactReprioritized():
                what, text = f"has priority {event.priority}", "at its age"
            case routing.ContactKept():
                what, text = "kept", f"{event.trigger} held, but no queue it leads to takes it"
            case routing.ContactDequeued() if event.overflow is not None:
                if self.steps:
                    self._tell_passed(self.steps[-1])
                self._waits = False
                what, text = "sent away", overflow_text(event.overflow)
            case routing.OfferRescinded():
                what = f"taken back from {event.agent_id}"
                text = f"after {_s(event.ring_ms)}: {event.reason}"
                if event.reason is RescindReason.TAKEN_BY_ANOTHER:
                    text = f"after {_s(event.ring_ms)}: another agent took it; nobody's miss"
            case routing.ContactRequeued():
                what, text = "waits on", "at its old place, with its age"
                self._waits = True
            case routing.ScorerFailed():
                what, text = f"scorer {event.scorer} failed", event.error
            case routing.PreferenceLapsed():
                what, text = "waits for anybody able", f"{event.reason}"
            case routing.RingWidened():
                what, text = "may ring at more", f"up to {agents_text(event.ring_target)} at once"
            case _:
                if self.steps:
                    self._tell_passed(self.steps[-1])
                self._waits = False
                what, text = "left", LEFT[event.reason]
        self.steps.append(Step(event.at_ms, what, text))


def _s(ms: int) -> str:
    return f"{ms / 1_000:,.3f} s"
