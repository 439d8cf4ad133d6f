"""Hands every accepted batch and every event of one partition to the checks that want it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from google.protobuf.message import DecodeError, Message

from huntgroup.journal.v1 import journal_pb2 as wire
from huntgroup_contracts.errors import UnknownEventError
from huntgroup_contracts.registry import event_class
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings

Handler = Callable[[Entry, Any], None]
"""Takes an event of an accepted batch, decoded: `(entry, event)`."""


class Check(Protocol):
    """One rule, watching the journals of one partition. Pure: it is told, counts, and finds."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Return what to do with which events."""
        ...

    def entry(self, entry: Entry) -> None:
        """Take an accepted entry, before its events."""
        ...

    def judge(self) -> None:
        """Judge what should have followed by now, between two readings; what is wrong is told once."""
        ...

    def finish(self) -> None:
        """Judge what is still open at the end of the partition."""
        ...

    def forget(self) -> None:
        """Forget what was over before the last call but one; who follows a log calls it once a day of log time."""
        ...


class EventCheck:
    """A check that looks at events only."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Return what to do with which events."""
        return {}

    def entry(self, entry: Entry) -> None:
        """Take an accepted entry, before its events."""

    def judge(self) -> None:
        """Judge what should have followed by now, between two readings; what is wrong is told once."""

    def finish(self) -> None:
        """Judge what is still open at the end of the partition."""

    def forget(self) -> None:
        """Forget what was over before the last call but one."""


class Feed:
    """Feeds checks. Events that cannot be decoded are counted as `unreadable events` and passed over."""

    def __init__(self, findings: Findings, checks: Sequence[Check], domain: str = "") -> None:
        """Feed `checks`; with `domain` only what is of that domain."""
        self._findings = findings
        self._checks = checks
        self._domain = domain
        self._handlers: dict[type[Message], list[Handler]] = {}
        for check in checks:
            for event, handler in check.handlers().items():
                self._handlers.setdefault(event, []).append(handler)
        self._by_type: dict[str, tuple[type[Message], list[Handler]] | None] = {}

    def take(self, entry: Entry) -> None:
        """Hand out one entry."""
        if isinstance(entry.kind, wire.Claim):
            for check in self._checks:
                check.entry(entry)
            return
        batch = entry.kind
        if self._domain and batch.domain not in ("", self._domain):
            return
        for check in self._checks:
            check.entry(entry)
        if batch.events:
            self._findings.saw("events", len(batch.events))
        for recorded in batch.events:
            known = self._by_type.get(recorded.type) or self._learn(recorded.type)
            if known is None:
                self._findings.saw("unreadable events")
                continue
            event_type, handlers = known
            try:
                event = event_type.FromString(recorded.payload)
            except DecodeError:
                self._findings.saw("unreadable events")
                continue
            for handler in handlers:
                handler(entry, event)

    def _learn(self, type_: str) -> tuple[type[Message], list[Handler]] | None:
        try:
            event = event_class(type_)
        except UnknownEventError:
            return None
        known = self._by_type[type_] = (event, self._handlers.get(event, []))
        return known
