"""When after-call work ends by itself: a heap of all that is under way."""

import heapq

from huntgroup_agent_state.core.values import OfferId


class WrapUpDeadlines:
    """The earliest end is known at once, whatever the number; what ended early is dropped lazily."""

    __slots__ = ("_ends", "_heap")

    def __init__(self) -> None:
        self._ends: dict[OfferId, int] = {}
        self._heap: list[tuple[int, OfferId]] = []

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, offer_id: OfferId, ends_at_ms: int) -> None:
        """Note that the after-call work of an offer ends at `ends_at_ms`."""
        self._ends[offer_id] = ends_at_ms
        heapq.heappush(self._heap, (ends_at_ms, offer_id))

    def discard(self, offer_id: OfferId) -> None:
        """Forget an offer; no error when it is not known. Afterwards the top of the heap is live again."""
        if self._ends.pop(offer_id, None) is None:
            return
        if len(self._heap) > 2 * len(self._ends) + 64:
            self._heap = [(ends_at_ms, known) for known, ends_at_ms in self._ends.items()]
            heapq.heapify(self._heap)
        while self._heap and not self._live(self._heap[0]):
            heapq.heappop(self._heap)

    def next(self) -> int | None:
        """Return the earliest end."""
        return self._heap[0][0] if self._heap else None

    def due(self, at_ms: int, most: int) -> list[OfferId]:
        """Return offers whose work is over by `at_ms`, the earliest first, at most so many; change nothing."""
        found: list[tuple[int, OfferId]] = []
        places = [(self._heap[0], 0)] if self._heap else []
        # A walk from the top in the order of time, which sees no more than what is due and its children.
        while places and len(found) < most:
            entry, place = heapq.heappop(places)
            if entry[0] > at_ms:
                break
            if self._live(entry):
                found.append(entry)
            for child in (2 * place + 1, 2 * place + 2):
                if child < len(self._heap):
                    heapq.heappush(places, (self._heap[child], child))
        return [offer_id for _, offer_id in found]

    def _live(self, entry: tuple[int, OfferId]) -> bool:
        return self._ends.get(entry[1]) == entry[0]
