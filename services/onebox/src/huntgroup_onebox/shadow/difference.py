"""What another policy would have made different: for each queue, really and in the shadow."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.table import Table

from huntgroup_onebox.shadow.past import Fate
from huntgroup_onebox.shadow.player import Answer, Shadow

ALL: Final = "all"
S_MS: Final = 1_000


@dataclass(slots=True)
class Side:
    """What became of the contacts of a queue, really or in the shadow."""

    answered: int = 0
    left: int = 0
    in_time: int = 0
    """Answered within the threshold of the service level."""
    waits_ms: list[int] = field(default_factory=list)

    def add(self, wait_ms: int, threshold_ms: int, *, answered: bool) -> None:
        """Count a contact."""
        self.waits_ms.append(wait_ms)
        self.answered += answered
        self.left += not answered
        self.in_time += answered and wait_ms <= threshold_ms

    def figures(self) -> dict[str, float]:
        """Return what follows; waits in seconds, also those of customers who gave up."""
        waits, count = sorted(self.waits_ms), len(self.waits_ms)
        return {
            "answered": self.answered,
            "left": self.left,
            "wait_mean_s": math.fsum(waits) / S_MS / count if count else math.nan,
            "wait_p90_s": waits[math.ceil(count * 0.9) - 1] / S_MS if count else math.nan,
            "service_level": self.in_time / count if count else math.nan,
        }


@dataclass(slots=True)
class Difference:
    """One queue: contacts that were answered or left really, and to whom they went."""

    contacts: int = 0
    same_agent: int = 0
    other_agent: int = 0
    only_really: int = 0
    """Answered really, but not in the shadow."""
    only_in_shadow: int = 0
    real: Side = field(default_factory=Side)
    shadow: Side = field(default_factory=Side)

    def add(
        self, fate: Fate, answer: Answer | None, left_at_ms: int | None, threshold_ms: int
    ) -> None:
        """Count a contact; one that waited in both to the end of the log, or still would, tells nothing."""
        real_at_ms = fate.answered_at_ms or fate.left_at_ms
        shadow_at_ms = left_at_ms if answer is None else answer.at_ms
        if real_at_ms is None:
            return
        self.contacts += 1
        self.real.add(
            real_at_ms - fate.came_at_ms, threshold_ms, answered=fate.answered_at_ms is not None
        )
        if shadow_at_ms is not None:
            self.shadow.add(
                shadow_at_ms - fate.came_at_ms, threshold_ms, answered=answer is not None
            )
        if answer is None or fate.agent_id is None:
            self.only_really += fate.agent_id is not None
            self.only_in_shadow += answer is not None
        elif answer.agent_id == fate.agent_id:
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


def differences(shadow: Shadow) -> dict[str, Difference]:
    """Return the difference by queue, and over all as `all`."""
    past, found = shadow.past, dict[str, Difference]()
    everything = Difference()
    for contact_id, fate in past.fates.items():
        answer, left_at_ms = shadow.answers.get(contact_id), shadow.left_at_ms.get(contact_id)
        threshold_ms = past.threshold_ms[fate.queue_id]
        for one in (found.setdefault(fate.queue_id, Difference()), everything):
            one.add(fate, answer, left_at_ms, threshold_ms)
    return {**dict(sorted(found.items())), ALL: everything}


HEADINGS: Final = ("contacts", "other agent", "wait s", "p90 s", "service level", "left unanswered")


def table(title: str, found: Mapping[str, Difference]) -> Table:
    """Return the differences for people: really → in the shadow."""
    made = Table(title=title, title_justify="left", header_style="bold")
    made.add_column("queue", no_wrap=True)
    for heading in HEADINGS:
        made.add_column(heading, justify="right", no_wrap=True)
    for name, one in found.items():
        if len(found) > 2 or name != ALL:  # noqa: PLR2004 - one queue and all are the same
            made.add_row(name, *_cells(one), style="bold" if name == ALL else "")
    return made


def _cells(one: Difference) -> Sequence[str]:
    real, shadow = one.real.figures(), one.shadow.figures()
    return (
        f"{one.contacts:,}",
        f"{one.other_agent:,} ({one.other_agent / max(1, one.contacts):.1%})",
        _both(real["wait_mean_s"], shadow["wait_mean_s"], ".1f"),
        _both(real["wait_p90_s"], shadow["wait_p90_s"], ".1f"),
        _both(real["service_level"], shadow["service_level"], ".1%"),
        _both(one.real.left, one.shadow.left, ",d"),
    )


def _both(real: float, shadow: float, form: str) -> str:
    return f"{_shown(real, form)} → {_shown(shadow, form)}"


def _shown(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)
