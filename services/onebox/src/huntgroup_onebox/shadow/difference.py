"""What another policy would have made different: for each queue, really and in the shadow."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from huntgroup_loadtest.fitted import Fitted, Row
from huntgroup_onebox.shadow.past import Fate
from huntgroup_onebox.shadow.player import Shadow
from huntgroup_routing.core.values import AgentId, ContactId

ALL: Final = "all"
S_MS: Final = 1_000
QUEUES_TOLD: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a contact's wait ended: with an agent, or its customer gave up, or a rule sent it out of routing."""

    at_ms: int
    agent_id: AgentId | None = None
    gave_up: bool = False


@dataclass(slots=True)
class Side:
    """What became of the contacts of a queue, really or in the shadow."""

    answered: int = 0
    left: int = 0
    """Whose customers gave up."""
    sent_away: int = 0
    """Whom a rule sent out of routing, and callbacks put off or over: they are in no other figure."""
    in_time: int = 0
    """Answered within the threshold of the service level."""
    left_late: int = 0
    """Gave up later than that."""
    waits_ms: list[int] = field(default_factory=list)

    def add(self, end: End, fate: Fate) -> None:
        """Count a contact."""
        wait_ms = end.at_ms - fate.came_at_ms
        in_time = wait_ms <= fate.threshold_ms
        if end.agent_id is not None:
            self.answered += 1
            self.in_time += in_time
        elif end.gave_up:
            self.left += 1
            self.left_late += not in_time
        else:
            self.sent_away += 1
            return
        self.waits_ms.append(wait_ms)

    def figures(self) -> dict[str, float]:
        """Return what follows; waits in seconds, also those of customers who gave up; service level as in kpi.md."""
        waits, count = sorted(self.waits_ms), len(self.waits_ms)
        judged = self.answered + self.left_late
        return {
            "answered": self.answered,
            "left": self.left,
            "sent_away": self.sent_away,
            "wait_mean_s": math.fsum(waits) / S_MS / count if count else math.nan,
            "wait_p90_s": waits[math.ceil(count * 0.9) - 1] / S_MS if count else math.nan,
            "service_level": self.in_time / judged if judged else math.nan,
        }


@dataclass(slots=True)
class Difference:
    """One queue: contacts whose wait really ended, and to whom they went.

    Who comes again, to be called back or after having been handed back, is another contact, as in reports.
    """

    contacts: int = 0
    not_over_yet: int = 0
    """Really waiting or ringing still where the log ends: they are in no other figure."""
    same_agent: int = 0
    other_agent: int = 0
    only_really: int = 0
    """Answered really, but not in the shadow."""
    only_in_shadow: int = 0
    never_in_shadow: int = 0
    """Still waiting in the shadow when nothing could happen any more: nobody there may serve them."""
    not_again_in_shadow: int = 0
    """Came again really, but not in the shadow: there they were answered already, or waited still."""
    real: Side = field(default_factory=Side)
    shadow: Side = field(default_factory=Side)

    def add(self, fate: Fate, shadow: End | None, *, came: bool) -> None:
        """Count a contact; one that really waited to the end of the log tells of no difference.

        `came` says whether it came in the shadow, too.
        """
        real = _really(fate)
        if real is None:
            self.not_over_yet += 1
            return
        self.contacts += 1
        self.real.add(real, fate)
        if shadow is not None:
            self.shadow.add(shadow, fate)
        elif came:
            self.never_in_shadow += 1
        else:
            self.not_again_in_shadow += 1
        agent_id = None if shadow is None else shadow.agent_id
        if agent_id is None or real.agent_id is None:
            self.only_really += real.agent_id is not None
            self.only_in_shadow += agent_id is not None
        elif agent_id == real.agent_id:
            self.same_agent += 1
        else:
            self.other_agent += 1

    def values(self) -> dict[str, Any]:
        """Return it for programs."""
        counts = {
            name: value for name, value in asdict(self).items() if name not in {"real", "shadow"}
        }
        sides = {"real": self.real.figures(), "shadow": self.shadow.figures()}
        return counts | {
            side: {name: None if math.isnan(one) else one for name, one in figures.items()}
            for side, figures in sides.items()
        }


def _really(fate: Fate) -> End | None:
    if fate.answered_at_ms is not None:
        return End(at_ms=fate.answered_at_ms, agent_id=fate.agent_id)
    if fate.left_at_ms is not None:
        return End(at_ms=fate.left_at_ms, gave_up=fate.gave_up)
    return None


def differences(shadow: Shadow) -> dict[str, Difference]:
    """Return the difference by queue, and over all as `all`."""
    found, everything = dict[str, Difference](), Difference()
    for contact_id, last in shadow.past.fates.items():
        ends = _ends(shadow, contact_id)
        next_ms: float = -math.inf
        for fate in last.each():
            came = fate.told_at_ms >= next_ms
            end = next(ends, None) if came else None
            if came:
                next_ms = math.inf if end is None else end.at_ms
            for one in (found.setdefault(fate.queue_id, Difference()), everything):
                one.add(fate, end, came=came)
    return {**dict(sorted(found.items())), ALL: everything}


def _ends(shadow: Shadow, contact_id: ContactId) -> Iterator[End]:
    """Yield how each wait of a contact ended in the shadow; who comes again has left, and nobody has given up."""
    for at_ms in shadow.left_before_ms.get(contact_id, ()):
        yield End(at_ms=at_ms)
    answer, left_at_ms = shadow.answers.get(contact_id), shadow.left_at_ms.get(contact_id)
    if left_at_ms is not None:
        yield End(at_ms=left_at_ms, gave_up=contact_id not in shadow.sent_away)
    if answer is not None:
        yield End(at_ms=answer.at_ms, agent_id=answer.agent_id)


def not_over_yet(found: Mapping[str, Difference]) -> str:
    """Return the line about contacts that are in no figure because they are not over yet; empty without any."""
    by_queue = {name: one.not_over_yet for name, one in found.items() if one.not_over_yet}
    total = by_queue.pop(ALL, 0)
    if not total:
        return ""
    most = sorted(by_queue, key=lambda name: (-by_queue[name], name))[:QUEUES_TOLD]
    told = ", ".join(f"{name} {by_queue[name]:,}" for name in most)
    told += ", …" if len(by_queue) > QUEUES_TOLD else ""
    return f"Not over yet: {total:,} still wait or ring where the log ends, and are in no figure: {told}."


HEADINGS: Final = (
    *("contacts", "other agent", "wait s", "p90 s", "service level", "left unanswered"),
    *("sent away", "never served"),
)


def table(title: str, found: Mapping[str, Difference]) -> Fitted:
    """Return the differences for people: really → in the shadow."""
    rows = [
        Row(name, _cells(one), "bold" if name == ALL else "")
        for name, one in found.items()
        if len(found) > 2 or name != ALL  # noqa: PLR2004 - one queue and all are the same
    ]
    return Fitted(title, ["queue", *HEADINGS], rows)


def _cells(one: Difference) -> Sequence[str]:
    real, shadow = one.real.figures(), one.shadow.figures()
    return (
        f"{one.contacts:,}",
        f"{one.other_agent:,} ({one.other_agent / max(1, one.contacts):.1%})",
        _both(real["wait_mean_s"], shadow["wait_mean_s"], ".1f"),
        _both(real["wait_p90_s"], shadow["wait_p90_s"], ".1f"),
        _both(real["service_level"], shadow["service_level"], ".1%"),
        _both(one.real.left, one.shadow.left, ",d"),
        _both(one.real.sent_away, one.shadow.sent_away, ",d"),
        _both(0, one.never_in_shadow, ",d"),
    )


def _both(real: float, shadow: float, form: str) -> str:
    return f"{_shown(real, form)} → {_shown(shadow, form)}"


def _shown(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)
