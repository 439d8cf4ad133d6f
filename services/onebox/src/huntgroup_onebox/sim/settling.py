"""What is not at its end yet when everything should be."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, TypeVar

from huntgroup_eventlog.journal.replica import Role
from huntgroup_onebox.sim.books import Books
from huntgroup_onebox.sim.cluster import Cluster, Replica
from huntgroup_onebox.sim.onlooker import PARTITION, Onlooker
from huntgroup_onebox.sim.stores import Database
from huntgroup_reporting.adapters.ledger import BEGINNING
from huntgroup_reporting.app.effects import note_entry
from huntgroup_reporting.app.ports import LedgerChanges

Key = tuple[str, int, str]
Row = TypeVar("Row")
BEHIND_MAX: Final = 3
"""Heartbeats on their way."""


class Settling:
    """Looks at the truth, and at what replicas have read of it."""

    def __init__(self, cluster: Cluster, onlooker: Onlooker, books: Mapping[str, Books]) -> None:
        self._cluster = cluster
        self._onlooker = onlooker
        self._books = books
        self._told, self._copied = LedgerChanges(), 0
        """So many entries of the ledger are in its database, and what they add up to."""

    def left_behind(self) -> str:
        """Return what is not at its end yet, or nothing."""
        for domain, books in self._books.items():
            if open_contacts := [key for key, how in books.endings.items() if how is None]:
                return f"1: contacts of {domain} did not end: {open_contacts}"
            if open_offers := [key for key, how in books.outcomes.items() if how is None]:
                return f"3: offers without an outcome: {open_offers}"
            if books.recording:
                return f"5: recordings of {domain} that are not over: {sorted(books.recording)}"
        if held := self._held():
            return f"2: capacity that is not free: {held}"
        if unpublished := self._onlooker.unpublished():
            return f"10: public topics lag: {unpublished}"
        if lagging := self._lagging():
            return f"10: {lagging}"
        if wrong := self.stored_otherwise():
            return wrong
        if left := len(self._onlooker.ledger) - self._copied:
            return f"6: {left} entries of the ledger are not in its database"
        return ""

    def stored_otherwise(self) -> str:
        """Return how the database differs from the ledger as far as it says to hold it, or the vault from the log."""
        told, stored = self._told_to(self._cluster.database), self._cluster.database
        wrong = [
            *(
                key
                for key in {**told.queues, **stored.queues}
                if _differs(told.queues, stored.queues, key)
            ),
            *(
                key
                for key in {**told.agents, **stored.agents}
                if _differs(told.agents, stored.agents, key)
            ),
        ]
        if wrong:
            return f"6: the ledger's database differs from the log in {wrong[:3]}"
        for books in self._books.values():
            for sealed in books.sealed:
                file = self._cluster.vault.stored.get(sealed.location, b"")
                if sha256(file).hexdigest() != sealed.sha256:
                    return f"5: {sealed.location} is not the file that was sealed"
        return ""

    def _told_to(self, database: Database) -> LedgerChanges:
        """Return what the ledger adds up to below where the database says that it stands."""
        end = database.cursors.get(PARTITION, BEGINNING).position
        entries = self._onlooker.ledger
        if self._copied and entries[self._copied - 1].position >= end:
            self._told, self._copied = LedgerChanges(), 0
        while self._copied < len(entries) and entries[self._copied].position < end:
            entry = entries[self._copied]
            note_entry(self._told, entry.domain, entry.event)
            self._copied += 1
        return self._told

    def _held(self) -> list[str]:
        held: list[str] = []
        for domain in self._books:
            floor = self._true_state("agent-state", domain)
            pools = self._true_state("routing", domain)
            if floor is not None:
                held += [f"agent-state: {one.agent_id} {one.phase}" for one in floor.slots.values()]
            if pools is not None:
                held += [
                    f"routing: {key} {[*one.held]}" for key, one in pools.agents.items() if one.held
                ]
        return held

    def _true_state(self, service: str, domain: str) -> Any:
        known = self._onlooker.journals[service].fold.domains.get(domain)
        return None if known is None else known.state

    def _lagging(self) -> str:
        for service in self._onlooker.journals:
            owners = [one for one in self._of(service) if one.role is Role.OWNING]
            if len(owners) != 1:
                return f"{service} has {len(owners)} owners"
            assert owners[0].journals is not None
            for feed in owners[0].journals.partitions[0].feeds:
                behind = self._onlooker.journals[feed.service].position - feed.position
                if behind > BEHIND_MAX:
                    return f"{service} is {behind} entries behind {feed.service}"
        return ""

    def _of(self, service: str) -> list[Replica]:
        return [one for one in self._cluster.replicas if one.service == service]


def _differs(told: Mapping[Key, Row], stored: Mapping[Key, Row], key: Key) -> bool:
    return told.get(key) != stored.get(key)
