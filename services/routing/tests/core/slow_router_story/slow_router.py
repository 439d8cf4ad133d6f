"""A router that is plain to see right: it knows no index, no heap and no cache, and looks at everybody, each time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from huntgroup_routing.core.messages import (
    AcceptOffer,
    ApplyPolicy,
    AssignContact,
    Command,
    ConfigureQueue,
    ExitQueue,
    ObserveAgentReleased,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveAgentStoppedResponding,
    ObserveAgentWentNotReady,
    ObserveAgentWentReady,
    ObserveContactAbandoned,
    ObserveContactQueued,
    ObserveOfferTurnedAway,
    PassTime,
    PullContact,
    RejectOffer,
    RollBackPolicy,
)
from huntgroup_routing.core.values import (
    REPLANS_PER_DECISION_MAX,
    Channel,
    Strategy,
)

from .slow_people import (
    SlowAgent,
    SlowContact,
    SlowOffer,
    SlowQueue,
    SlowWork,
    can,
    said,
    terms,
)
from .slow_preferring import TURN
from .slow_ringing import SlowRinging

Outcome = tuple[str, str, int, int, int, str]
"""Contact, agent, attempt, idle since (ms), idle agents, who was next."""


@dataclass
class SlowRouter(SlowRinging):
    policies: list[dict[str, ConfigureQueue]] = field(default_factory=lambda: [{}])
    queues: dict[str, SlowQueue] = field(default_factory=dict)
    contacts: list[SlowContact] = field(default_factory=list)
    agents: list[SlowAgent] = field(default_factory=list)
    tick: int = 0
    made: list[Outcome] = field(default_factory=list)

    def tell(self, command: Command, at_ms: int) -> list[Outcome]:
        self.at_ms, self.made = at_ms, []
        self.look()
        match command:
            case ConfigureQueue():
                self.applied({**self.policy, command.queue_id: said(command)}, waiting=False)
            case ApplyPolicy():
                policy = {str(one.queue_id): said(one) for one in command.queues}
                self.applied(policy, waiting=command.applies_to_waiting)
            case RollBackPolicy(version=version):
                self.applied(self.policies[version], waiting=command.applies_to_waiting)
            case ObserveContactQueued():
                self.queued(command)
            case ObserveContactAbandoned(contact_id=contact_id):
                self.abandoned(contact_id)
            case AcceptOffer(offer_id=offer_id, agent_id=agent_id):
                self.answered(offer_id, agent_id, accept=True)
            case RejectOffer(offer_id=offer_id, agent_id=agent_id):
                self.answered(offer_id, agent_id, accept=False)
            case PassTime():
                self.expired()
            case PullContact() | AssignContact():
                self.by_hand(command)
            case ExitQueue(contact_id=contact_id, key=key):
                self.exited(contact_id, key)
            case _:
                self.agent_fact(command)
        self.reckon_lends()
        return self.made

    @property
    def policy(self) -> dict[str, ConfigureQueue]:
        return self.policies[-1]

    def applied(self, policy: dict[str, ConfigureQueue], *, waiting: bool) -> None:
        changed = [
            command
            for queue_id, command in sorted(policy.items())
            if self.policy.get(queue_id) != command
            or (waiting and self.queues[queue_id].followed_from < self.queues[queue_id].plan)
        ]
        if changed or self.policy.keys() - policy.keys():
            self.policies.append(policy)
        self.retired = self.queues.keys() - policy.keys()
        for command in changed:
            self.configured(command, waiting=waiting)

    def configured(self, command: ConfigureQueue, *, waiting: bool) -> None:
        was = self.queues.get(command.queue_id)
        waiting = waiting or self.sends_home(command)
        self.keep_lent(command)
        queue = self.queues[command.queue_id] = SlowQueue(
            skills=frozenset(command.required_skills),
            ring_ms=command.ring_timeout_ms,
            strategy=command.strategy or Strategy.LONGEST_IDLE,
            reoffer_after_ms=command.reoffer_after_ms,
            requirement=command.requirement,
            steps=command.steps,
            skip=command.skip_unservable_steps,
            ring_max=command.ring_max or 10,
            ring_every_ms=command.ring_every_ms or 5_000,
            pull_requirement=command.pull_requirement,
            preferred_hold_ms=command.preferred_hold_ms,
            prefers_last=command.prefers_last_agent,
            direct_hold_ms=command.direct_hold_ms,
            overflow=command.overflow,
            point_ms=command.priority_point_ms,
            resume_ms=command.resume_window_ms,
            threshold_ms=command.service_level_threshold_ms,
            answers=was.answers if was else [],
            groups=self.groups_of(command),
            command=command,
            dial_ahead=command.callback_dial_ahead or 1,
            offers=was.offers if was else 0,
            last_agent_id=was.last_agent_id if was else "",
        )
        if was:
            before, now = (
                (one.skills, one.requirement, one.steps, one.skip, one.overflow, one.groups)
                for one in (was, queue)
            )
            queue.plan = was.plan + (before != now)
            queue.followed_from = queue.plan if waiting else was.followed_from
        if not self.weighted():
            self.shares = {}

    def agent_fact(self, command: Command) -> None:
        match command:
            case ObserveAgentSignedOn():
                self.signed_on(command)
            case ObserveAgentWentReady(agent_id=agent_id):
                agent = self.agent(agent_id)
                if agent and agent.joined and (agent.in_doubt or not agent.ready):
                    agent.ready, agent.in_doubt = True, False
                    self.became_idle(agent)
            case (
                ObserveAgentWentNotReady(agent_id=agent_id)
                | ObserveAgentStoppedResponding(agent_id=agent_id)
            ):
                agent = self.agent(agent_id)
                if agent:
                    agent.ready = False
                    agent.stop(self.at_ms)
                    self.forget_parked(agent)
                    self.lose(agent)
            case ObserveAgentReleased(agent_id=agent_id, offer_id=offer_id):
                self.slot_freed(agent_id, offer_id, turned_away=False)
            case ObserveOfferTurnedAway(agent_id=agent_id, offer_id=offer_id):
                self.slot_freed(agent_id, offer_id, turned_away=True)
            case ObserveAgentSignedOff(agent_id=agent_id):
                self.signed_off(agent_id)
            case _:
                raise AssertionError(command)

    def queued(self, command: ObserveContactQueued) -> None:
        if command.contact_id in self.seen or not self.takes(command):
            return
        self.seen.add(command.contact_id)
        told, command = command, self.resumed(command)
        back = command is not told or command.returns
        contact = SlowContact(
            contact_id=command.contact_id,
            queue_id=command.queue_id,
            channel=command.channel,
            skills=frozenset(),
            enqueued_at_ms=command.enqueued_at_ms,
            priority=command.priority,
            own_skills=frozenset(command.required_skills),
            customer=command.customer_key,
            returns=command.returns,
            on_the_line_from_ms=self.at_ms if back else command.enqueued_at_ms,
            preferred=tuple(dict.fromkeys(map(str, command.preferred_agents))),
            own_requirement=command.requirement,
            awaited=TURN if command.awaits_turn else (),
        )
        if self.comes(contact):
            self.contacts.append(contact)
            self.stand(contact)
            if contact.queue_id != command.queue_id or command.awaits_turn:
                self.find_in_turn([contact])
            elif not self.awaits(contact, command):
                self.find_agents([contact], [])

    def abandoned(self, contact_id: str) -> None:
        self.remember_lost(contact_id)
        for offer in self.offers:
            if offer.pending and offer.contact.contact_id == contact_id:
                offer.pending = False
        for contact in [one for one in self.contacts if one.contact_id == contact_id]:
            self.left(contact, answered=False)
            self.gave_up(contact)
            self.contacts.remove(contact)

    def by_hand(self, command: PullContact | AssignContact) -> None:
        for contact in self.contacts:
            agent = self.agent(command.agent_id)
            if contact.contact_id != command.contact_id or contact.ringing or agent is None:
                continue
            if contact.channel not in agent.idle:
                continue
            if isinstance(command, AssignContact):
                if command.waive_requirement or can(agent, contact):
                    self.offer(contact, agent, [], "", alone=True)
            elif self.queues[contact.queue_id].pull_requirement and agent.agent_id != "a2":
                self.offer(contact, agent, [], "", alone=True)
                self.answered(self.offers[-1].offer_id, agent.agent_id, accept=True)

    def answered(self, offer_id: str, agent_id: str, *, accept: bool) -> None:
        for offer in self.offers:
            if offer.offer_id != offer_id or offer.agent.agent_id != agent_id:
                continue
            if offer.pending and self.at_ms < offer.expires_at_ms:
                if accept:
                    offer.pending = False
                    offer.handled_since_ms = self.at_ms
                    self.forget_parked(offer.agent, offer.contact.channel)
                    for other in self.offers:
                        if other.contact is offer.contact:
                            other.pending = False
                    if offer.contact.channel in offer.agent.work:
                        offer.agent.work[offer.contact.channel].contacts += 1
                    self.contacts.remove(offer.contact)
                    self.left(offer.contact, answered=True)
                    if offer.contact.customer:
                        self.last_agents[offer.contact.customer] = agent_id
                else:
                    offer.parked = None
                    self.failed([offer])

    def expired(self) -> None:
        over = [one for one in self.offers if one.pending and one.expires_at_ms <= self.at_ms]
        for offer in over:
            offer.agent.in_doubt = True
            offer.agent.stop(self.at_ms)
            self.forget_parked(offer.agent)
        moved = over or self.stepped() or self.widened() or self.lapsed() or self.replanned()
        if not (moved or self.blends() or self.waited_enough()):
            self.call_in_turn()
        self.failed(over)

    def stepped(self) -> bool:
        """Let contacts go on to their steps: by time, or if there are none by condition. Return whether any did."""
        due = [one for one in self.contacts if self.is_due(one)] or [
            one for one in self.contacts if self.is_due_by_condition(one)
        ]
        return self.gone_on(due)

    def replanned(self) -> bool:
        """Let the first of those who wait by an older plan follow the present one; return whether any did."""
        outdated = [one for one in self.contacts if self.is_outdated(one)]
        due = sorted(outdated, key=lambda one: one.place)[:REPLANS_PER_DECISION_MAX]
        for contact in due:
            contact.follow(self.queues[contact.queue_id], again=True)
        return self.gone_on(due)

    def gone_on(self, due: list[SlowContact]) -> bool:
        for contact in due:
            contact.go_on(self.at_ms, self.agents, self.holds)
        self.find_agents([one for one in due if not one.ringing], [])
        return bool(due)

    def signed_on(self, command: ObserveAgentSignedOn) -> None:
        agent = self.agent(command.agent_id)
        skills = frozenset[str](command.skills)
        slots = {one.channel: one.slots for one in command.capacity}
        if agent is None:
            agent = SlowAgent(command.agent_id)
            self.agents.append(agent)
        levels = dict.fromkeys(map(str, command.skills), 1)
        if command.traits is not None:
            levels.update((one.skill, one.level) for one in command.traits.skill_levels)
        was, says = (agent.skills, agent.slots, agent.traits), (skills, slots, command.traits)
        if agent.shares(command) and agent.joined and was == says:
            return
        if agent.joined:
            self.team_left(agent)
        agent.traits = command.traits
        agent.joined, agent.ready, agent.in_doubt = True, False, False
        agent.skills, agent.slots, agent.idle, agent.levels = skills, slots, {}, levels
        agent.work = {channel: SlowWork() for channel in slots}
        self.forget_parked(agent)
        self.give_up_on(agent)
        self.lose(agent)
        for offer in self.held_by(agent):
            if offer.handled_since_ms is not None:
                offer.handled_since_ms = self.at_ms

    def signed_off(self, agent_id: str) -> None:
        agent = self.agent(agent_id)
        if agent is None or not agent.joined:
            return
        self.team_left(agent)
        agent.joined = agent.ready = agent.in_doubt = False
        agent.skills, agent.slots, agent.idle, agent.work = frozenset(), {}, {}, {}
        self.forget_parked(agent)
        self.lose(agent)
        self.failed([one for one in self.offers if one.pending and one.agent is agent])

    def slot_freed(self, agent_id: str, offer_id: str, *, turned_away: bool) -> None:
        agent = self.agent(agent_id)
        if agent is None:
            return
        held = [one for one in self.held_by(agent) if one.offer_id == offer_id]
        if not held and (turned_away or not agent.in_doubt):
            return
        returned = [one.contact for one in held if one.pending]
        before: tuple[int, int, int] | None = None
        for offer in held:
            before = self.idle_before(offer)
            offer.held = False
            agent.stop(self.at_ms, offer.contact.channel)
            if offer.handled_since_ms is not None and offer.contact.channel in agent.work:
                since_ms = offer.handled_since_ms
                agent.work[offer.contact.channel].handle_ms += self.at_ms - since_ms
        if returned:
            agent.stop(self.at_ms)
            self.forget_parked(agent)
            before = None
        if turned_away and returned:
            agent.in_doubt = True
            self.failed(held)
            return
        agent.in_doubt = False
        self.failed([one for one in held if one.pending])
        if agent.joined and agent.ready:
            channel = held[0].contact.channel if held else None
            if before and channel and self.free(agent, channel) > 0:
                agent.idle[channel] = before[:2]
                agent.work[channel].idle_ms = before[2]
            self.became_idle(agent, returned)

    def failed(self, offers: list[SlowOffer]) -> None:
        for offer in offers:
            offer.contact.lately = self.let_go_lately(offer.contact)
        for offer in offers:
            offer.pending = False
            offer.contact.let_go_by.append((offer.agent.agent_id, self.at_ms))
        contacts = list({id(one.contact): one.contact for one in offers}.values())
        without = [one.agent for one in offers]
        for contact in contacts:
            rang, contact.ringing = contact.ringing, bool(self.open(contact))
            if not contact.ringing:
                if rang:
                    self.stand_again(contact)
                contact.asked, contact.target, contact.widens_at_ms = set(), 0, 0
                self.awaits_still(contact, [one for one in offers if one.contact is contact])
        self.find_agents(contacts, without)

    def became_idle(self, agent: SlowAgent, let_go: Sequence[SlowContact] = ()) -> None:
        for channel in sorted(agent.slots):
            if channel not in agent.idle and self.free(agent, channel) > 0:
                self.tick += 1
                agent.idle[channel] = (self.tick, self.at_ms)
        own = self.serve_own(agent)
        while fitting := [
            one
            for one in self.contacts
            if not one.ringing and not one.awaited and one.channel in agent.idle and can(agent, one)
        ]:
            channels: dict[Channel, list[SlowContact]] = {one.channel: [] for one in fitting}
            for one in fitting:
                channels[one.channel].append(one)
            turns = [self.whose_turn(agent, each, []) for each in channels.values()]
            ranked = agent.is_sharing
            first = min(turns, key=lambda one: (ranked and terms(agent, one)[0], one.place))
            self.serve_before(agent, own, first)
            if first.channel not in agent.idle:
                continue
            behind = [one for one in channels[first.channel] if one is not first]
            following = self.whose_turn(agent, behind, [first]) if behind else None
            self.offer(first, agent, [], following.contact_id if following else "")
        self.serve_before(agent, own)
        for channel in sorted(agent.slots):
            self.ring_along(agent, channel, let_go)

    def find_agents(self, contacts: list[SlowContact], without: list[SlowAgent]) -> None:
        todo = sorted(contacts, key=lambda one: one.place)
        served = self.first_served(todo, without) if self.compete(todo, without) else None
        for number, contact in enumerate(todo):
            if contact.ringing:
                self.ring_on(contact, without)
                continue
            if contact.awaited:
                self.find_own(contact, without)
                continue
            idle = [one for one in self.idle_for(contact) if one not in without]
            if idle:
                queue = self.queues[contact.queue_id]
                let_go_by = self.let_go_lately(contact)
                if served is not None:
                    rest = [one for one in todo[number + 1 :] if one in served]
                    idle = self.spare(idle, contact, rest, without) if contact in served else []
                    if not idle:
                        continue
                idle = [one for one in idle if one.agent_id not in let_go_by] or idle
                if queue.rings:
                    idle.sort(key=lambda one: one.idle[contact.channel])
                    for agent in idle[: queue.ring_max if queue.rings_all else 1]:
                        self.offer(contact, agent, without, "")
                    continue
                agent = self.choose(contact, idle)
                others = [one for one in idle if one is not agent]
                by_chance = queue.strategy in (Strategy.RANDOM, Strategy.WEIGHTED_RANDOM)
                after = self.choose(contact, others) if others and not by_chance else None
                self.offer(contact, agent, without, after.agent_id if after else "")

    def offer_for(self, contact: SlowContact, agent: SlowAgent) -> None:
        self.offer(contact, agent, [], "", alone=True)
        contact_id, agent_id, attempt, since_ms, _, following = self.made[-1]
        self.made[-1] = (contact_id, agent_id, attempt, since_ms, 1, following)

    def offer(
        self,
        contact: SlowContact,
        agent: SlowAgent,
        without: list[SlowAgent],
        following: str,
        *,
        alone: bool = False,
    ) -> None:
        idle = [one for one in self.idle_for(contact) if one not in without]
        queue, (tick, since_ms) = self.queues[contact.queue_id], agent.idle[contact.channel]
        parked = (tick, since_ms, agent.work[contact.channel].idle_ms)
        agent.stop(self.at_ms, contact.channel)
        if not contact.ringing:
            self.fetched(contact)
            self.count(self.shares, agent, contact)
        if not contact.ringing and queue.rings and not alone:
            contact.target = queue.ring_max if queue.rings_all else 1
            if contact.target < queue.ring_max:
                contact.widens_at_ms = self.at_ms + queue.ring_every_ms
        contact.asked.add(agent.agent_id)
        queue.offers += 1
        queue.last_agent_id = agent.agent_id
        contact.attempts += 1
        contact.ringing = True
        self.made.append(
            (
                contact.contact_id,
                agent.agent_id,
                contact.attempts,
                since_ms,
                len(idle) + (agent not in idle),
                following,
            )
        )
        offer_id = f"{contact.contact_id}.{contact.attempts}"
        offer = SlowOffer(offer_id, contact, agent, self.at_ms + queue.ring_ms)
        offer.parked = parked if contact.target else None
        self.offers.append(offer)
        if self.free(agent, contact.channel) > 0:
            self.tick += 1
            agent.idle[contact.channel] = (self.tick, self.at_ms)
        for channel in [one for one in agent.idle if not self.free(agent, one)]:
            agent.stop(self.at_ms, channel)

    def agent(self, agent_id: str) -> SlowAgent | None:
        return next((one for one in self.agents if one.agent_id == agent_id), None)
