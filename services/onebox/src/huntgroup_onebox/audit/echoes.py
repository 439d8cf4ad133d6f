"""Facts of one service that another says again, each once and in their order, whatever their log times.

Routing lets agents join and leave as agent-state signs them on and off, with what they signed on with (invariant 2).
Session dials each callback whose turn, as routing says, has come near, before any agent is asked (invariant 1). Of each
agent and of each callback the one row is held against the other: nothing may be missing, nothing be made up, nothing
differ.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state
from huntgroup.routing.v1 import events_pb2 as routing
from huntgroup.session.v1 import events_pb2 as session
from huntgroup_onebox.audit.compact import CompactMap
from huntgroup_onebox.audit.feed import Handler
from huntgroup_onebox.audit.intake import Clock, Intake, Patience
from huntgroup_onebox.audit.reading import Entry
from huntgroup_onebox.audit.report import Findings, Place

Reading = Callable[[Any], str | None]
"""Returns what an event says, in words that are equal where it is the same; None: it is not meant."""
GONE: Final = "is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRule:
    """Who says what first, and who says it again."""

    invariant: int
    key: str
    """The field of both that says of whom."""
    teller: str
    told: Mapping[type[Message], Reading]
    echoer: str
    echoes: Mapping[type[Message], Reading]
    ends: Collection[type[Message]] = ()
    """What the echoer says when it is over: then nothing is said again."""
    news_only: bool = False
    """Whether one who says the same as before has said nothing."""


@dataclass(frozen=True, slots=True)
class _Said:
    place: Place
    domain: str
    what: str
    at_ms: int
    words: str


@dataclass(slots=True)
class _Rows:
    """Of one subject: what only one of the two has said so far, and what each said last."""

    told: deque[_Said] = field(default_factory=deque)
    echoed: deque[_Said] = field(default_factory=deque)
    last_told: str = GONE
    last_echoed: str = GONE

    @property
    def over(self) -> bool:
        return not (self.told or self.echoed) and self.last_told == self.last_echoed == GONE


class Echo:
    """One rule in one partition."""

    def __init__(
        self, rule: EchoRule, findings: Findings, intake: Intake, clock: Clock | None
    ) -> None:
        self.rule = rule
        self._findings = findings
        self._intake = intake
        self._patience = Patience(clock)
        self._rows: dict[str, _Rows] = {}
        self._over = CompactMap()

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Return what to do with which events."""
        rule = self.rule
        return (
            dict.fromkeys(rule.told, self._tell)
            | dict.fromkeys(rule.echoes, self._echo)
            | dict.fromkeys(rule.ends, self._end)
        )

    def forget(self) -> None:
        """Forget what was over long ago."""
        self._over.forget()

    def _tell(self, entry: Entry, event: Any) -> None:
        subject = self._subject(entry, event)
        said = self._said(entry, event, self.rule.told)
        if said is None:
            return
        rows = self._rows.setdefault(subject, _Rows())
        if self.rule.news_only:
            if said.words == rows.last_told:
                return
            rows.last_told = said.words
        if rows.echoed:
            self._compare(said, rows.echoed.popleft())
        elif self._over.get(subject) is None:
            rows.told.append(said)
        self._drop(subject, rows)

    def _echo(self, entry: Entry, event: Any) -> None:
        subject = self._subject(entry, event)
        said = self._said(entry, event, self.rule.echoes)
        if said is None:
            return
        rows = self._rows.setdefault(subject, _Rows())
        if self.rule.news_only:
            if said.words == rows.last_echoed:
                return
            rows.last_echoed = said.words
        if rows.told:
            self._compare(rows.told.popleft(), said)
        else:
            rows.echoed.append(said)
        self._drop(subject, rows)

    def _end(self, entry: Entry, event: Any) -> None:
        subject = self._subject(entry, event)
        self._over.put(subject)
        if (rows := self._rows.get(subject)) is not None:
            rows.told.clear()
            self._drop(subject, rows)

    def _subject(self, entry: Entry, event: Any) -> str:
        return f"{entry.batch.domain}\n{getattr(event, self.rule.key)}"

    def _said(
        self, entry: Entry, event: Any, readings: Mapping[type[Message], Reading]
    ) -> _Said | None:
        words = readings[type(event)](event)
        if words is None:
            return None
        kind, name = self.rule.key.removesuffix("_id"), getattr(event, self.rule.key)
        what = f"{kind} {name} has a {event.DESCRIPTOR.name}"
        return _Said(entry.place, entry.batch.domain, what, event.at_ms, words)

    def _drop(self, subject: str, rows: _Rows) -> None:
        if rows.over:
            del self._rows[subject]

    def _compare(self, told: _Said, echoed: _Said) -> None:
        if told.words == echoed.words:
            return
        why = f"{echoed.what}: {echoed.words}; but {self.rule.teller} says: {told.words}"
        self._findings.violation(self.rule.invariant, echoed.place, echoed.domain, why)

    def judge_missing(self, grace_ms: int) -> None:
        """Judge what one has said so long ago that the other must have, too; tell it once."""
        rule = self.rule
        alone = sorted(self._alone(), key=lambda one: one[1].at_ms)
        self._patience.look(said for _, said, _ in alone)
        for rows, said, by in alone:
            late_ms = self._intake.overdue_ms(by, said.place, said.at_ms)
            if late_ms > grace_ms and self._patience.is_over(said, grace_ms):
                (rows.told if by == rule.echoer else rows.echoed).remove(said)
                wanted = rule.echoes if by == rule.echoer else rule.told
                names = " or ".join(event.DESCRIPTOR.name for event in wanted)
                why = f"{said.what}, but {by} has no {names} for it"
                self._findings.violation(rule.invariant, said.place, said.domain, why)

    def waiting(self) -> int:
        """Return how much only one of the two has said."""
        return sum(1 for _ in self._alone())

    def _alone(self) -> Iterator[tuple[_Rows, _Said, str]]:
        """Yield what only one has said, and who has not."""
        for rows in [*self._rows.values()]:
            yield from ((rows, said, self.rule.echoer) for said in [*rows.told])
            yield from ((rows, said, self.rule.teller) for said in [*rows.echoed])


def _gone(_event: Any) -> str:
    return GONE


def signed_on_with(event: agent_state.AgentSignedOn | routing.AgentJoined) -> str:
    """Return what an agent can do and takes at once; no cost counts where there are no units."""
    traits = event.traits
    shared = bool(event.capacity_units)
    loads = {one.channel: _load(one, shared=shared) for one in event.capacity}
    parts = (
        ("skills", sorted(set(event.skills))),
        ("takes", [loads[channel] for channel in sorted(loads)]),
        ("units", [str(event.capacity_units)] if shared else []),
        ("levels", sorted(f"{one.skill} {one.level}" for one in traits.skill_levels)),
        ("languages", sorted(traits.languages)),
        ("attributes", sorted(f"{one.name} {one.value!r}" for one in traits.attributes)),
        ("groups", sorted(traits.groups)),
    )
    return "; ".join(f"{name} {', '.join(said)}" for name, said in parts if said)


def _load(one: agent_state.ChannelCapacity | routing.ChannelCapacity, *, shared: bool) -> str:
    cost = f" at {max(1, one.cost)}" if shared else ""
    before = f" before {' and '.join(_names(one.interrupts))}" if one.interrupts else ""
    return f"{one.slots} {_name(one.channel)}{cost}{before}"


def _names(channels: Iterable[int]) -> list[str]:
    return [_name(one) for one in sorted(set(channels))]


def _name(channel: int) -> str:
    return agent_state.Channel.keys()[channel].removeprefix("CHANNEL_").lower()


def _near(event: routing.ContactDequeued) -> str | None:
    return "" if event.reason == routing.DEQUEUE_REASON_CALLBACK_DUE else None


def _before_agents(event: session.CallbackDialRequested) -> str | None:
    return None if event.offer_id else ""


ECHOES: Final = (
    EchoRule(
        invariant=2,
        key="agent_id",
        teller="agent-state",
        told={agent_state.AgentSignedOn: signed_on_with, agent_state.AgentSignedOff: _gone},
        echoer="routing",
        echoes={routing.AgentJoined: signed_on_with, routing.AgentLeft: _gone},
        news_only=True,
    ),
    EchoRule(
        invariant=1,
        key="contact_id",
        teller="routing",
        told={routing.ContactDequeued: _near},
        echoer="session",
        echoes={session.CallbackDialRequested: _before_agents},
        ends=(session.ContactAbandoned, session.CallbackEnded),
    ),
)
