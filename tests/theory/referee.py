"""Watches every decision of the routing core and says which rule it broke, from the events alone."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from huntgroup_routing.core.decide import decide
from huntgroup_routing.core.messages import (
    AgentBecameEligible,
    AgentBecameIneligible,
    AgentCapacityFreed,
    Command,
    ContactDequeued,
    ContactEnqueued,
    Event,
    OfferAccepted,
    OfferCreated,
    Refused,
)
from huntgroup_routing.core.state import State
from huntgroup_routing.core.values import AgentId, ContactId, QueueId


class Referee:
    """Knows who is idle, in the order in which they became so, and who waits, in the order in which they came.

    Agents take one contact at a time, all contacts have the same priority, and every offer is accepted, or the first
    one where a contact rings at several agents.
    """

    def __init__(self, served: Mapping[QueueId, frozenset[str]], *, longest_idle: bool) -> None:
        """`served` are the groups of agents that serve each queue: an agent's id begins with the group's name."""
        self._served = served
        self._longest_idle = longest_idle
        self._idle: OrderedDict[AgentId, str] = OrderedDict()
        self._waiting: dict[QueueId, OrderedDict[ContactId, int]] = {
            one: OrderedDict() for one in served
        }
        self._ringing: set[ContactId] = set()
        self.offers = 0
        self.violations: list[str] = []

    def decide(self, state: State, command: Command, at_ms: int) -> tuple[Event, ...] | Refused:
        """Let the core decide, and look at what it decides."""
        events = decide(state, command, at_ms)
        assert not isinstance(events, Refused)
        for event in events:
            self._look_at(event)
        self.violations += self._left_undone(at_ms)
        return events

    def _look_at(self, event: Event) -> None:
        match event:
            case AgentBecameEligible() | AgentCapacityFreed():
                self._idle[event.agent_id] = event.agent_id.rpartition("-")[0]
            case AgentBecameIneligible():
                self._idle.pop(event.agent_id, None)
            case ContactEnqueued():
                self._waiting[event.queue_id][event.contact_id] = event.enqueued_at_ms
            case ContactDequeued():
                del self._waiting[event.queue_id][event.contact_id]
            case OfferCreated() if event.contact_id in self._ringing:
                self._judge_agent(event)
            case OfferCreated():
                self._judge(event)
            case OfferAccepted():
                self._ringing.discard(event.contact_id)
            case _:
                pass

    def _judge_agent(self, offer: OfferCreated) -> str | None:
        self.offers += 1
        group = self._idle.pop(offer.agent_id, None)
        if group is None or group not in self._served[offer.queue_id]:
            self.violations.append(f"{offer.agent_id} is busy, or cannot serve {offer.queue_id}")
            return None
        return group

    def _judge(self, offer: OfferCreated) -> None:
        longest = next(
            (agent for agent, one in self._idle.items() if one in self._served[offer.queue_id]),
            None,
        )
        group = self._judge_agent(offer)
        if group is None:
            return
        first = min(
            (when, contact_id)
            for queue_id, groups in self._served.items()
            if group in groups
            for contact_id, when in self._first(queue_id)
        )
        if first[1] != offer.contact_id:
            self.violations.append(f"{first[1]} came before {offer.contact_id}")
        if self._longest_idle and longest != offer.agent_id:
            self.violations.append(f"{longest} was idle before {offer.agent_id}")
        self._ringing.add(offer.contact_id)
        del self._waiting[offer.queue_id][offer.contact_id]

    def _first(self, queue_id: QueueId) -> Iterator[tuple[ContactId, int]]:
        waiting = self._waiting[queue_id]
        if waiting:
            contact_id = next(iter(waiting))
            yield contact_id, waiting[contact_id]

    def _left_undone(self, at_ms: int) -> Iterator[str]:
        if not self._idle:
            return
        for queue_id, waiting in self._waiting.items():
            if waiting and not self._served[queue_id].isdisjoint(self._idle.values()):
                yield f"at {at_ms} somebody waits in {queue_id} while somebody is idle who could serve it"
