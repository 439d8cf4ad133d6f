"""Switches that break one rule each, to prove that the simulation sees it. Only ever within a story."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from msgspec import structs

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_eventlog.application import NEW_SHARE, Application
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal import snapshot
from huntgroup_eventlog.journal.chain import ChainReader
from huntgroup_eventlog.journal.command_memory import CommandMemory, Remembered
from huntgroup_eventlog.journal.decider import Submission, outcome_of
from huntgroup_eventlog.journal.fold import RelayItem
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_eventlog.journal.source import SourceInput
from huntgroup_eventlog.port import NewRecord
from huntgroup_onebox.sim.stores import NodeHistory
from huntgroup_reporting.app.effects import LedgerWriter
from huntgroup_reporting.app.ports import Cursor
from huntgroup_routing.core import RoutingCore
from huntgroup_routing.core import messages as routing
from huntgroup_runtime.membership import Membership
from huntgroup_runtime.relay import Relay
from huntgroup_runtime.rpc import admission

Sabotage = Callable[[], AbstractContextManager[None]]


@contextmanager
def _patched(target: Any, **replaced: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for name, other in replaced.items():
            stack.enter_context(patch.object(target, name, other))
        yield


def chain_off() -> AbstractContextManager[None]:
    """Readers take a batch of the current owner whether it follows the last one or not."""
    return _patched(ChainReader, chain_counts=lambda *_: True)


def early_ack() -> AbstractContextManager[None]:
    """Commands are acknowledged when their record is handed to the log, before it was read back."""
    append = Replica._append  # noqa: SLF001 - a rule is broken on purpose

    def _append(self: Replica, domain: str, value: bytes, causes: tuple[str, ...] = ()) -> None:
        append(self, domain, value, causes)
        if not self.decider.pending:
            return
        for ticket, result, command_id in self.decider.pending[-1].answers:
            if isinstance(result, Remembered):
                told = outcome_of(command_id, result, self.position, repeated=False)
                self.effects.append(fx.Answer(ticket, told))

    return _patched(Replica, _append=_append)


def no_deduplication() -> AbstractContextManager[None]:
    """A command that comes again is decided again."""
    return _patched(CommandMemory, recall=lambda *_: None)


def broken_ledger() -> AbstractContextManager[None]:
    """What copies the ledger into the database fails at its first record, in the background."""

    def fail(*_: object) -> None:
        raise RuntimeError("sabotage")

    return _patched(LedgerWriter, _take=fail)


def reads_without_lease() -> AbstractContextManager[None]:
    """Who was the owner answers from its state, however long it has heard nothing."""
    return _patched(Membership, is_sure=lambda *_: True)


def no_lease() -> AbstractContextManager[None]:
    """An offer that nobody answers rings for ever."""
    decide = RoutingCore.decide

    def patient(self: RoutingCore, state: Any, command: Any, at_ms: int) -> Any:
        return (
            ()
            if isinstance(command, type(self.pass_time()))
            else decide(self, state, command, at_ms)
        )

    return _patched(RoutingCore, decide=patient, next_deadline=lambda *_: None)


def standby_serves() -> AbstractContextManager[None]:
    """A replica that only follows answers reads as if it owned the partition."""
    query = Replica.query

    def answered(self: Replica, domain: str, read: Callable[[Any], Any], ticket: Any) -> None:
        if self.role is not Role.FOLLOWING:
            query(self, domain, read, ticket)
            return
        found = self.fold.domains.get(domain)
        state = found.state if found else self.application.core.initial(domain)
        self.effects.append(fx.Answer(ticket, read(state)))

    return _patched(Replica, query=answered)


def any_code_version() -> AbstractContextManager[None]:
    """Snapshots of older code are taken for those of today's."""

    def check(application: Application, partition: int, found: wire.Snapshot) -> None:
        del application, partition, found

    return _patched(snapshot, _check_origin=check)


def skipping_relay() -> AbstractContextManager[None]:
    """Now and then the relay leaves a batch out and goes on."""
    records = Relay._records  # noqa: SLF001 - a rule is broken on purpose

    def skipping(self: Relay, item: RelayItem) -> list[NewRecord]:
        return [] if random.randrange(20) == 0 else records(self, item)  # noqa: S311 - by the story's seed

    return _patched(Relay, _records=skipping)


def skipping_feed() -> AbstractContextManager[None]:
    """Now and then an owner does not hear what another service has decided."""
    take_in = Replica.take_in

    def hearing_badly(self: Replica, source: SourceInput) -> None:
        if not source.commands or random.randrange(20):  # noqa: S311 - by the story's seed
            take_in(self, source)

    return _patched(Replica, take_in=hearing_badly)


def newcomers_first() -> AbstractContextManager[None]:
    """New work may use up what is kept for calls in progress."""
    return _patched(admission, NEW_SHARE=1.0)


def nothing_in_progress() -> AbstractContextManager[None]:
    """Replicas take every command for new work, and refuse hang-ups when half of their room is used."""
    return _patched(Submission, share=property(lambda _: NEW_SHARE))


def double_counting() -> AbstractContextManager[None]:
    """The ledger's database takes changes and does not note how far they go."""

    async def move(self: NodeHistory, partition: int, before: Cursor, after: Cursor) -> None:
        del self, partition, before, after

    return _patched(NodeHistory, move=move)


def _misheard(
    change: Callable[[routing.ObserveAgentSignedOn], routing.ObserveAgentSignedOn],
) -> AbstractContextManager[None]:
    """Let routing take something else for what an agent signed on with."""
    decide = RoutingCore.decide

    def mishearing(self: RoutingCore, state: Any, command: Any, at_ms: int) -> Any:
        if isinstance(command, routing.ObserveAgentSignedOn):
            command = change(command)
        return decide(self, state, command, at_ms)

    return _patched(RoutingCore, decide=mishearing)


def forgotten_units() -> AbstractContextManager[None]:
    """Routing takes each channel of an agent for itself, whatever the agent says of them."""
    evolve = RoutingCore.evolve

    def forgetful(self: RoutingCore, state: Any, event: Any) -> Any:
        state = evolve(self, state, event)
        if isinstance(event, routing.AgentJoined):
            state.agents[event.agent_id].concurrency = None
        return state

    return _patched(RoutingCore, evolve=forgetful)


def one_slot_more() -> AbstractContextManager[None]:
    """Routing takes agents to have a slot more of each channel than they have."""

    def roomy(command: routing.ObserveAgentSignedOn) -> routing.ObserveAgentSignedOn:
        more = tuple(structs.replace(one, slots=one.slots + 1) for one in command.capacity)
        return replace(command, capacity=more)

    return _misheard(roomy)


def lost_skills() -> AbstractContextManager[None]:
    """Routing does not hear what agents can do."""
    return _misheard(lambda command: replace(command, skills=()))


SABOTAGES: Final[Mapping[str, tuple[Sabotage, str]]] = {
    "broken-ledger": (broken_ledger, "the task 'ledger database' of reporting/"),
    "chain-off": (chain_off, "was acknowledged and is not in the history"),
    "early-ack": (early_ack, "4: "),
    "forgotten-units": (forgotten_units, "units are more than"),
    "lost-skills": (lost_skills, "; but agent-state says: skills german"),
    "one-slot-more": (one_slot_more, "above capacity"),
    "no-deduplication": (no_deduplication, "was carried out twice"),
    "double-counting": (double_counting, "6: the ledger's database differs"),
    "no-lease": (no_lease, "after its end"),
    "standby-serves": (standby_serves, "and a read says"),
    "any-code-version": (any_code_version, "7: "),
    "newcomers-first": (newcomers_first, "10: new work was let in"),
    "nothing-in-progress": (nothing_in_progress, "10: work in progress was refused"),
    "reads-without-lease": (reads_without_lease, "and a read says"),
    "skipping-feed": (skipping_feed, "in the ledger and "),
    "skipping-relay": (skipping_relay, "says that it published"),
}
"""By name: how to break a rule, and what the simulation says when it sees that."""
