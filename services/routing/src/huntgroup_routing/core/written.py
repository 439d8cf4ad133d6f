"""The canonical written form of what routing knows of one domain.

It holds the facts; lines, the pool and the order of leases are rebuilt when it is read.
"""

from collections import OrderedDict, deque

import msgspec

from huntgroup_routing.core.dialing import watch_all_turns
from huntgroup_routing.core.preferring import await_agents
from huntgroup_routing.core.ringing import set_target
from huntgroup_routing.core.sharing import SharesRow, rows_of, shares_of
from huntgroup_routing.core.state import Awaited, Contact, Lost, Offer, Queue, Ring, State
from huntgroup_routing.core.steps import Plan
from huntgroup_routing.core.values import (
    AgentId,
    Channel,
    ContactId,
    OfferId,
    Own,
    QueueId,
    Vocabulary,
    place_of,
)
from huntgroup_routing.core.versions import Version, Versions
from huntgroup_routing.core.waiting import begin_to_wait
from huntgroup_routing.core.watching import look_at_figures, watch
from huntgroup_routing.core.written_agents import (
    AgentRow,
    IdleRow,
    agent_row,
    idle_rows,
    load_agents,
)
from huntgroup_routing.core.written_queues import QueueRow, load_queues, queue_row

DUMP_VERSION = 7


class _Record(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A row of the written form: the order of the fields is the format."""


class _Ring(_Record, frozen=True):
    offers: tuple[OfferId, ...]
    asked: tuple[AgentId, ...]
    target: int
    widens_at_ms: int


class _Contact(_Record, frozen=True):
    contact_id: ContactId
    queue_id: QueueId
    channel: Channel
    priority: int
    priority_point_ms: int
    enqueued_at_ms: int
    attempts: int
    offer_id: OfferId | None
    let_go_by: tuple[tuple[AgentId, int], ...]
    plan: int
    plan_version: int
    own: Own
    step: int
    entered_at_ms: int
    stay: int
    leaves_at_ms: int | None
    ring: _Ring | None
    awaited: Awaited | None
    customer_key: str
    delays_over: int
    preferred: tuple[AgentId, ...] | None
    returns: bool
    counted_from_ms: int


class _Dump(_Record, frozen=True):
    dump_version: int
    plans: tuple[Plan, ...]
    """Of queues and contacts, each once."""
    queues: tuple[QueueRow, ...]
    retired: tuple[QueueId, ...]
    version: tuple[int, Vocabulary, tuple[Version, ...]]
    contacts: tuple[_Contact, ...]
    agents: tuple[AgentRow, ...]
    idle: tuple[IdleRow, ...]
    offers: tuple[Offer, ...]
    ended_offers: tuple[Offer, ...]
    ended_contacts: tuple[tuple[ContactId, int], ...]
    lost: tuple[tuple[tuple[QueueId, str], Lost], ...]
    last_agents: tuple[tuple[str, AgentId], ...]
    shares: tuple[SharesRow, ...]
    reprioritizing: tuple[tuple[ContactId, tuple[int, int]], ...]


def dump(state: State) -> bytes:
    """Return the canonical written form: equal states give equal bytes, however they came about."""
    plans, versions = dict[Plan, int](), state.versions
    queues = tuple(queue_row(state.queues[key], plans) for key in sorted(state.queues))
    contacts = tuple(_contact_row(state.contacts[key], plans) for key in sorted(state.contacts))
    return msgspec.msgpack.encode(
        _Dump(
            dump_version=DUMP_VERSION,
            plans=tuple(plans),
            queues=queues,
            retired=tuple(state.retired),
            version=(versions.version, versions.vocabulary, tuple(versions.kept)),
            contacts=contacts,
            agents=tuple(agent_row(state.agents[key]) for key in sorted(state.agents)),
            idle=idle_rows(state),
            offers=tuple(state.offers[key] for key in sorted(state.offers)),
            ended_offers=tuple(state.ended_offers.values()),
            ended_contacts=tuple(state.ended_contacts.items()),
            lost=tuple(state.lost.items()),
            last_agents=tuple(state.last_agents.items()),
            shares=rows_of(state.shares),
            reprioritizing=tuple(state.reprioritizing.items()),
        )
    )


def load(domain: str, dumped: bytes) -> State:
    """Return the state that `dump` wrote; raise `ValueError` when it cannot be read."""
    try:
        read = msgspec.msgpack.decode(dumped, type=_Dump)
    except msgspec.MsgspecError as error:
        raise ValueError(f"state of {domain} cannot be read: {error}") from error
    if read.dump_version != DUMP_VERSION:
        raise ValueError(f"state of {domain} has version {read.dump_version}, not {DUMP_VERSION}")
    version, vocabulary, kept = read.version
    changed = sum(len(one.before) for one in kept)
    versions = Versions(version=version, vocabulary=vocabulary, kept=deque(kept), queues=changed)
    state = State(
        domain=domain,
        versions=versions,
        retired=OrderedDict.fromkeys(read.retired),
    )
    try:
        load_agents(state, read.agents, read.idle)
        for offer in read.offers:
            state.offers[offer.offer_id] = offer
            state.leases.add((offer.expires_at_ms, offer.offer_id))
        load_queues(state, read.queues, read.plans)
        _load_contacts(state, read)
        watch_all_turns(state)
    except (KeyError, IndexError) as error:
        raise ValueError(f"state of {domain} refers to {error}, which it lacks") from error
    state.ended_offers.update((offer.offer_id, offer) for offer in read.ended_offers)
    state.last_agents.update(read.last_agents)
    state.ended_contacts.update(read.ended_contacts)
    state.lost.update(read.lost)
    state.shares.update(shares_of(read.shares))
    state.reprioritizing.update(read.reprioritizing)
    return state


def _contact_row(contact: Contact, plans: dict[Plan, int]) -> _Contact:
    return _Contact(
        contact_id=contact.contact_id,
        queue_id=contact.queue_id,
        channel=contact.requirement.channel,
        priority=contact.priority,
        priority_point_ms=contact.priority_point_ms,
        enqueued_at_ms=contact.enqueued_at_ms,
        attempts=contact.attempts,
        offer_id=contact.offer_id,
        let_go_by=contact.let_go_by,
        plan=plans.setdefault(contact.plan, len(plans)),
        plan_version=contact.plan_version,
        own=contact.own,
        step=contact.step,
        entered_at_ms=contact.entered_at_ms,
        stay=contact.stay,
        leaves_at_ms=contact.leaves_at_ms,
        ring=None if contact.ring is None else _ring_row(contact.ring),
        awaited=contact.awaited,
        customer_key=contact.customer_key,
        delays_over=contact.delays_over,
        preferred=contact.preferred,
        returns=contact.returns,
        counted_from_ms=contact.counted_from_ms,
    )


def _ring_row(ring: Ring) -> _Ring:
    return _Ring(
        offers=tuple(ring.offers),
        asked=tuple(sorted(ring.asked)),
        target=ring.target,
        widens_at_ms=ring.widens_at_ms,
    )


def _load_contacts(state: State, read: _Dump) -> None:
    for contact_row in read.contacts:
        queue, plan = state.queues[contact_row.queue_id], read.plans[contact_row.plan]
        contact = Contact(
            contact_id=contact_row.contact_id,
            queue_id=contact_row.queue_id,
            place=place_of(
                contact_row.priority,
                contact_row.enqueued_at_ms,
                contact_row.contact_id,
                contact_row.priority_point_ms,
            ),
            priority=contact_row.priority,
            priority_point_ms=contact_row.priority_point_ms,
            enqueued_at_ms=contact_row.enqueued_at_ms,
            requirement=state.pool.use(
                contact_row.channel,
                plan.ask(contact_row.step, contact_row.own, contact_row.delays_over),
                queue.measure,
            ),
            plan=plan,
            plan_version=contact_row.plan_version,
            own=contact_row.own,
            step=contact_row.step,
            delays_over=contact_row.delays_over,
            attempts=contact_row.attempts,
            offer_id=contact_row.offer_id,
            let_go_by=contact_row.let_go_by,
            entered_at_ms=contact_row.entered_at_ms,
            stay=contact_row.stay,
            leaves_at_ms=contact_row.leaves_at_ms,
            awaited=contact_row.awaited,
            customer_key=contact_row.customer_key,
            preferred=contact_row.preferred,
            returns=contact_row.returns,
            counted_from_ms=contact_row.counted_from_ms,
        )
        if contact_row.ring is not None:
            _load_ring(state, contact, contact_row.ring)
        state.contacts[contact.contact_id] = contact
        if contact.step_due is not None:
            state.steps_due.add(contact.step_due)
        _line_up(state, queue, contact)
        watch(state, contact)
    for queue in state.queues.values():
        queue.waiting.all_are_back()
        look_at_figures(state, queue)


def _line_up(state: State, queue: Queue, contact: Contact) -> None:
    if contact.offer_id is None:
        if contact.awaited is None:
            contact.requirement.waiting.add(contact.place)
        else:
            await_agents(state, contact, contact.awaited)
        queue.waiting.put_back(contact.lane, contact.place)
        begin_to_wait(state, contact)
        if contact.plan_version < queue.followed_from:
            state.outdated.add(contact.place)
    else:
        queue.ringing += 1


def _load_ring(state: State, contact: Contact, row: _Ring) -> None:
    contact.ring = Ring(
        offers={offer_id: state.offers[offer_id].agent_id for offer_id in row.offers},
        asked=set(row.asked),
        target=row.target,
    )
    set_target(state, contact, row.target, row.widens_at_ms)
