"""Contacts in the order of their deadlines."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from huntgroup_session.core.values import ContactId


class CallbacksDue:
    """When each callback is due, in order. Entering and leaving costs a search and a move in one list."""

    __slots__ = ("_due_ms", "_line")

    def __init__(self) -> None:
        self._due_ms: dict[ContactId, int] = {}
        self._line: list[tuple[int, ContactId]] = []

    def put(self, contact_id: ContactId, due_ms: int | None) -> None:
        """Let a contact be due then, and not at another time; None: not at all."""
        before = self._due_ms.get(contact_id)
        if before == due_ms:
            return
        if before is not None:
            del self._due_ms[contact_id]
            del self._line[bisect_left(self._line, (before, contact_id))]
        if due_ms is not None:
            self._due_ms[contact_id] = due_ms
            insort(self._line, (due_ms, contact_id))

    def put_all(self, dues: Iterable[tuple[ContactId, int | None]]) -> None:
        """Let contacts be due of whom nothing was known: sorted once, however many."""
        self._due_ms.update(
            (contact_id, due_ms) for contact_id, due_ms in dues if due_ms is not None
        )
        self._line = sorted((due_ms, contact_id) for contact_id, due_ms in self._due_ms.items())

    def __iter__(self) -> Iterator[tuple[int, ContactId]]:
        return iter(self._line)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallbacksDue) and self._line == other._line

    __hash__ = None  # type: ignore[assignment]
