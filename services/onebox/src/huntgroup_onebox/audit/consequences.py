"""Invariants 1 to 3 and 5 across journals: what must follow from a fact by itself, in the journal of who decides it.

A contact that session queued takes a place in routing; an accepted offer becomes a conversation or a failed one; a slot
is taken, told about and given back. Only such facts are owed. What waits for a person, such as a conversation that goes
on, is not. What is missing at the end of the log is excused for `epsilon_ms` of log time after it was due, or after the
last claim of the partition it should be in: until then somebody may be about to write it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.registry import topic_journal
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.echoes import ECHOES, Echo
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place
from huntgroup_onebox.audit.rules import RULES, Rule

OPEN: Final = 0
SETTLED: Final = 1
PUT_OFF: Final = 2


@dataclass(frozen=True, slots=True)
class _Debt:
    place: Place
    domain: str
    subject: str
    """What it is about, whatever the stay."""
    what: str
    """The cause, in words."""
    at_ms: int
    due_ms: int


class _Account:
    """One rule in one partition: which causes still wait for their consequence."""

    def __init__(self, rule: Rule, findings: Findings) -> None:
        self.rule = rule
        self.open: dict[str, _Debt] = {}
        self._findings = findings
        self._settled = CompactMap()
        self._over = CompactMap()

    def handlers(self) -> Mapping[type[Message], Handler]:
        rule = self.rule
        found = dict.fromkeys(rule.causes, self._cause) | dict.fromkeys(
            rule.settled_by, self._consequence
        )
        if rule.reopened_by is not None:
            found[rule.reopened_by] = self._reopen
        if rule.put_off_by is not None:
            found[rule.put_off_by] = self._put_off
        return found | dict.fromkeys(rule.ends, self._end)

    def _subject(self, entry: Entry, event: Any) -> str:
        return f"{entry.batch.domain}\n{getattr(event, self.rule.key)}"

    def _key(self, entry: Entry, event: Any) -> str:
        subject = self._subject(entry, event)
        return f"{subject}\n{event.stay}" if self.rule.each_stay else subject

    def _cause(self, entry: Entry, event: Any) -> None:
        rule, key = self.rule, self._key(entry, event)
        subject = self._subject(entry, event)
        is_settled = self._settled.get(key) in (SETTLED, PUT_OFF) or self.is_over(subject)
        if key in self.open or is_settled or not rule.owes(event):
            return
        kind, name = rule.key.removesuffix("_id"), getattr(event, rule.key)
        what = f"{kind} {name} has a {event.DESCRIPTOR.name}"
        due_ms = max(event.at_ms, getattr(event, rule.due))
        domain = entry.batch.domain
        self.open[key] = _Debt(entry.place, domain, subject, what, event.at_ms, due_ms)

    def _consequence(self, entry: Entry, event: Any) -> None:
        rule, key = self.rule, self._key(entry, event)
        if not rule.settles(event):
            return
        if rule.once and self._settled.get(key) == SETTLED:
            kind, name = rule.key.removesuffix("_id"), getattr(event, rule.key)
            why = f"{kind} {name} has a {event.DESCRIPTOR.name}, but was answered before"
            self._findings.violation(rule.invariant, entry.place, entry.batch.domain, why)
        self.open.pop(key, None)
        self._settled.put(key, SETTLED)

    def _end(self, entry: Entry, event: Any) -> None:
        self._over.put(self._subject(entry, event))

    def is_over(self, subject: str) -> bool:
        """Return whether nothing is owed of a contact any more, in whatever stay."""
        return bool(self.rule.ends) and self._over.get(subject) is not None

    def _put_off(self, entry: Entry, event: Any) -> None:
        key = self._key(entry, event)
        self.open.pop(key, None)
        self._settled.put(key, PUT_OFF)

    def _reopen(self, entry: Entry, event: Any) -> None:
        key = self._key(entry, event)
        if self._settled.get(key) == SETTLED:
            self._settled.put(key, OPEN)

    def forget(self) -> None:
        """Forget what was settled long ago."""
        self._settled.forget()
        self._over.forget()

    def close(self) -> None:
        """Keep what is open only."""
        self._settled = CompactMap()


class Consequences(EventCheck):
    """Follows the facts of one partition to what follows from them in another journal."""

    def __init__(self, findings: Findings, services: Collection[str]) -> None:
        """Expect nothing of services that have no journal in this log."""
        self.newest_ms = 0
        """Newest log time of a batch."""
        self._findings = findings
        self._accounts = [_Account(rule, findings) for rule in RULES if rule.debtor in services]
        self._echoes = [
            Echo(rule, findings) for rule in ECHOES if {rule.teller, rule.echoer} <= set(services)
        ]
        self._followers: list[_Account | Echo] = [*self._accounts, *self._echoes]
        self._claimed_ms: dict[str, int] = {}
        self._taken_in: dict[tuple[str, str], int] = {}
        """By service and topic of another, the position below which it has taken in everything."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        found: dict[type[Message], list[Handler]] = {}
        for follower in self._followers:
            for event, handler in follower.handlers().items():
                found.setdefault(event, []).append(handler)
        return {event: _each(handlers) for event, handlers in found.items()}

    def entry(self, entry: Entry) -> None:
        kind = entry.kind
        if isinstance(kind, wire.Claim):
            self._claimed_ms[entry.service] = kind.at_ms
            return
        self.newest_ms = max(self.newest_ms, kind.at_ms)
        for source in kind.sources:
            self._taken_in[entry.service, source.topic] = source.position

    def finish(self) -> None:
        for account in self._accounts:
            account.close()

    def forget(self) -> None:
        for follower in self._followers:
            follower.forget()

    def judge_missing(self, now_ms: int, epsilon_ms: int) -> None:
        """Judge what is still missing, when the newest log time of the whole log is `now_ms`; tell it once."""
        missing = [
            (account, key, debt)
            for account in self._accounts
            for key, debt in account.open.items()
            if now_ms >= debt.due_ms
        ]
        for account, key, debt in sorted(missing, key=lambda one: one[2].at_ms):
            rule = account.rule
            if account.is_over(debt.subject):
                del account.open[key]
                continue
            since_ms = max(debt.due_ms + rule.slack_ms, self._claimed_ms.get(rule.debtor, 0))
            if now_ms - since_ms > epsilon_ms:
                del account.open[key]
                why = f"{debt.what}, but {self._missing(rule, debt, now_ms)}"
                self._findings.violation(rule.invariant, debt.place, debt.domain, why)
        for echo in self._echoes:
            echo.judge_missing(now_ms, epsilon_ms, self._claimed_ms)

    def judge_at_the_end(self, now_ms: int, epsilon_ms: int) -> None:
        """Judge what is missing at the end of the log, and count what is excused by invariant."""
        self.judge_missing(now_ms, epsilon_ms)
        for account in self._accounts:
            due = sum(
                now_ms >= debt.due_ms and not account.is_over(debt.subject)
                for debt in account.open.values()
            )
            if due:
                self._findings.count(account.rule.invariant, "about to follow", due)
        for echo in self._echoes:
            if waiting := echo.waiting():
                self._findings.count(echo.rule.invariant, "about to follow", waiting)

    def _missing(self, rule: Rule, debt: _Debt, now_ms: int) -> str:
        wanted = " or ".join(event.DESCRIPTOR.name for event in rule.settled_by)
        told = f"{rule.debtor} has no {wanted} for it {now_ms - debt.at_ms:,} ms later"
        if debt.place.topic == topic_journal(rule.debtor):
            return told
        read_to = self._taken_in.get((rule.debtor, debt.place.topic), 0)
        reached = "it" if read_to > debt.place.position else f"only what is before {read_to}"
        return f"{told}, and has taken in {reached}"


def _each(handlers: list[Handler]) -> Handler:
    if len(handlers) == 1:
        return handlers[0]

    def call(entry: Entry, event: Any) -> None:
        for handler in handlers:
            handler(entry, event)

    return call
