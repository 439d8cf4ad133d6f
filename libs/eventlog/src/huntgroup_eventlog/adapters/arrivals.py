"""Lets readers wait for records without polling: whoever appends announces, whoever waits is woken."""

import asyncio


class Arrivals:
    """Who waits for something new on which partition. Belongs to the event loop; not for threads."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], list[asyncio.Future[None]]] = {}

    async def wait(self, topic: str, partition: int, timeout_s: float) -> None:
        """Return at the next announcement for the partition, or after `timeout_s`.

        Nothing is missed as long as the caller does not await between looking and calling this.
        """
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        waiting = self._waiting.setdefault((topic, partition), [])
        waiting.append(woken)
        timer = loop.call_later(timeout_s, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()
            if woken in waiting:
                waiting.remove(woken)

    def announce(self, topic: str, partition: int) -> None:
        """Wake everyone who waits on the partition."""
        for woken in self._waiting.pop((topic, partition), ()):
            _wake(woken)

    def announce_all(self) -> None:
        """Wake everyone, for the end of the log."""
        for key in list(self._waiting):
            self.announce(*key)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
