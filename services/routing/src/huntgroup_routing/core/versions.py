"""The versions of a domain's policy: what each change made of it can be undone, for the last hundred."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from huntgroup_routing.core.events import PolicyApplied, QueueConfigured
from huntgroup_routing.core.values import (
    VERSIONS_MAX,
    VERSIONS_QUEUES_MAX,
    QueueId,
    Vocabulary,
)

UNSAID = Vocabulary()

Rules = Mapping[QueueId, QueueConfigured]
"""A policy: the rules of every queue in it."""


class Version(msgspec.Struct, array_like=True, kw_only=True):
    """One change; written as it is, so the order of the fields is part of the format."""

    version: int
    at_ms: int
    author: str = ""
    reason: str = ""
    rolled_back_to: int = 0
    before: dict[QueueId, QueueConfigured | None] = {}
    """Of every queue that it changed, the rules before; None: it was not in the policy."""
    vocabulary_before: Vocabulary = UNSAID


@dataclass(slots=True, kw_only=True)
class Versions:
    """The number of the present version, and how to come back to earlier ones."""

    version: int = 0
    vocabulary: Vocabulary = UNSAID
    kept: deque[Version] = field(default_factory=deque)
    """The last, oldest first."""
    queues: int = 0
    """Changed in all that are kept."""

    @property
    def oldest(self) -> int:
        """The oldest version that is remembered."""
        return self.kept[0].version - 1 if self.kept else self.version

    def begin(self, event: PolicyApplied) -> None:
        """Begin a version that was made as a whole."""
        self._begin(
            Version(
                version=event.version,
                at_ms=event.at_ms,
                author=event.author,
                reason=event.reason,
                rolled_back_to=event.rolled_back_to,
                before={},
                vocabulary_before=self.vocabulary,
            )
        )
        self.vocabulary = event.vocabulary or UNSAID

    def note(
        self, queue_id: QueueId, before: QueueConfigured | None, version: int, at_ms: int
    ) -> None:
        """Note what a queue was before a change; the change of one queue alone is a version, too."""
        if version == 0 or version > self.version:
            self._begin(
                Version(
                    version=self.version + 1,
                    at_ms=at_ms,
                    before={},
                    vocabulary_before=self.vocabulary,
                )
            )
        self.kept[-1].before[queue_id] = before
        self.queues += 1
        while self.queues > VERSIONS_QUEUES_MAX and len(self.kept) > 1:
            self._forget()

    def at(self, version: int, present: Rules) -> tuple[Rules, Vocabulary] | None:
        """Return the policy as it was, given the present one; None when that is not remembered."""
        if not self.oldest <= version <= self.version:
            return None
        rules, vocabulary = dict(present), self.vocabulary
        for one in reversed(self.kept):
            if one.version <= version:
                break
            for queue_id, before in one.before.items():
                if before is None:
                    rules.pop(queue_id, None)
                else:
                    rules[queue_id] = before
            vocabulary = one.vocabulary_before
        return rules, vocabulary

    def _begin(self, version: Version) -> None:
        self.version = version.version
        self.kept.append(version)
        if len(self.kept) > VERSIONS_MAX:
            self._forget()

    def _forget(self) -> None:
        self.queues -= len(self.kept.popleft().before)
