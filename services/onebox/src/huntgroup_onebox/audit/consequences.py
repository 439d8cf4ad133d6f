"""Invariants 1 to 3 and 5 across journals: what must follow from a fact by itself, in the journal of who decides it.

A contact that session queued takes a place in routing; an accepted offer becomes a conversation or a failed one; a slot
is taken, told about and given back. Only such facts are owed. What waits for a person, such as a conversation that goes
on, is not. What is missing is excused for a while after its debtor took the cause in, or after the last claim of the
debtor's partition, by the debtor's own log time: until then somebody may be about to write it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup_contracts.registry import topic_journal
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.echoes import ECHOES, Echo
from huntgroup_onebox.audit.feed import EventCheck, Handler
from huntgroup_onebox.audit.intake import Clock, Intake, Patience
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

    def __init__(self, rule: Rule, findings: Findings, intake: Intake, clock: Clock | None) -> None:
        self.rule = rule
        self.open: dict[str, _Debt] = {}
        self._findings = findings
        self._intake = intake
        self._patience = Patience(clock)
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

    def owed(self) -> dict[str, _Debt]:
        """Return what is due by the debtor's own log time; what a contact's end settled is dropped."""
        for key in [key for key, debt in self.open.items() if self.is_over(debt.subject)]:
            del self.open[key]
        return {key: debt for key, debt in self.open.items() if self._is_due(debt)}

    def _is_due(self, debt: _Debt) -> bool:
        rule = self.rule
        own = debt.place.topic == topic_journal(rule.debtor)
        return not own or self._intake.newest_ms(rule.debtor) >= debt.due_ms + rule.slack_ms

    def take_overdue(self, grace_ms: int) -> list[tuple[_Debt, str]]:
        """Take out what is missing for longer than a grace; return it, and what is missing in words."""
        owed, found = self.owed(), []
        self._patience.look(owed)
        for key, debt in owed.items():
            wait_ms = debt.due_ms - debt.at_ms + self.rule.slack_ms
            late_ms = self._intake.overdue_ms(self.rule.debtor, debt.place, debt.at_ms, wait_ms)
            if late_ms > grace_ms and self._patience.is_over(key, grace_ms):
                del self.open[key]
                found.append((debt, self._missing(debt, late_ms + wait_ms)))
        return found

    def _missing(self, debt: _Debt, after_ms: int) -> str:
        rule = self.rule
        wanted = " or ".join(event.DESCRIPTOR.name for event in rule.settled_by)
        told = f"{rule.debtor} has no {wanted} for it at least {after_ms:,} ms later"
        if debt.place.topic == topic_journal(rule.debtor):
            return told
        read_to = self._intake.position(rule.debtor, debt.place.topic)
        reached = "it" if read_to > debt.place.position else f"only what is before {read_to}"
        return f"{told}, and has taken in {reached}"


class Consequences(EventCheck):
    """Follows the facts of one partition to what follows from them in another journal."""

    def __init__(
        self,
        findings: Findings,
        services: Collection[str],
        intake: Intake,
        *,
        grace_ms: int,
        clock: Clock | None = None,
    ) -> None:
        """Expect nothing of services that have no journal in this log.

        What follows may be missing for `grace_ms` of its debtor's log time and, with the `clock` of who follows a log,
        for as long of that as well.
        """
        self._findings = findings
        self._grace_ms = grace_ms
        self._accounts = [
            _Account(rule, findings, intake, clock) for rule in RULES if rule.debtor in services
        ]
        self._echoes = [
            Echo(rule, findings, intake, clock)
            for rule in ECHOES
            if {rule.teller, rule.echoer} <= set(services)
        ]
        self._followers: list[_Account | Echo] = [*self._accounts, *self._echoes]

    def handlers(self) -> Mapping[type[Message], Handler]:
        found: dict[type[Message], list[Handler]] = {}
        for follower in self._followers:
            for event, handler in follower.handlers().items():
                found.setdefault(event, []).append(handler)
        return {event: _each(handlers) for event, handlers in found.items()}

    def forget(self) -> None:
        for follower in self._followers:
            follower.forget()

    def judge(self) -> None:
        missing = [
            (debt, why, account.rule.invariant)
            for account in self._accounts
            for debt, why in account.take_overdue(self._grace_ms)
        ]
        for debt, why, invariant in sorted(missing, key=lambda one: one[0].at_ms):
            told = f"{debt.what}, but {why}"
            self._findings.violation(invariant, debt.place, debt.domain, told)
        for echo in self._echoes:
            echo.judge_missing(self._grace_ms)

    def finish(self) -> None:
        """Judge what is missing at the end of the log, and count what is excused by invariant."""
        self.judge()
        for account in self._accounts:
            if owed := account.owed():
                self._findings.count(account.rule.invariant, "about to follow", len(owed))
        for echo in self._echoes:
            if waiting := echo.waiting():
                self._findings.count(echo.rule.invariant, "about to follow", waiting)


def _each(handlers: list[Handler]) -> Handler:
    if len(handlers) == 1:
        return handlers[0]

    def call(entry: Entry, event: Any) -> None:
        for handler in handlers:
            handler(entry, event)

    return call
