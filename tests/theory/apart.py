"""A log whose topics have names of their own, on a broker that others use at the same time."""

from collections.abc import Awaitable, Sequence

from huntgroup_eventlog.port import Log, NewRecord, Reader


class Apart:
    """Does what the log beneath does, with a word before the name of each topic."""

    def __init__(self, log: Log, word: str) -> None:
        """`word` is letters, digits and dashes."""
        self._log, self._word = log, f"{word}."

    @property
    def partitions(self) -> int:
        return self._log.partitions

    def append(self, topic: str, partition: int, record: NewRecord) -> Awaitable[int]:
        return self._log.append(self._word + topic, partition, record)

    async def reader(self, topic: str, partition: int, position: int) -> Reader:
        return await self._log.reader(self._word + topic, partition, position)

    async def end(self, topic: str, partition: int) -> int:
        return await self._log.end(self._word + topic, partition)

    async def topics(self) -> Sequence[str]:
        mine = (one for one in await self._log.topics() if one.startswith(self._word))
        return [one.removeprefix(self._word) for one in mine]

    async def ensure_topics(self, topics: Sequence[str]) -> None:
        await self._log.ensure_topics([self._word + one for one in topics])

    async def close(self) -> None:
        await self._log.close()
