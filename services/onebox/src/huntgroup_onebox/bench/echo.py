"""The raw two-hop echo: what two hops through Kafka cost with nothing in between, by the bare librdkafka client.

    python -m huntgroup_onebox.bench.echo KAFKA ECHO_IN ECHO_OUT

A process that reads bytes and writes them unchanged, one poll and one produce each, with the settings of our own
adapter. `Probe` sends to it at Poisson times and hears its answers; on the same consumer it hears the records of one
more partition, so that both are heard through the same ears.
"""

import random
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from confluent_kafka import Consumer, Producer, TopicPartition

PAYLOAD_BYTES = 400
CONSUMING = {
    "group.id": "huntgroup-bench",
    "enable.auto.commit": False,
    "auto.offset.reset": "latest",
    "fetch.min.bytes": 1,
    "fetch.wait.max.ms": 20,
    "fetch.error.backoff.ms": 1,
    "socket.nagle.disable": True,
}
PRODUCING = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0,
    "socket.nagle.disable": True,
}
SETTINGS = "librdkafka, acks=all, idempotent, linger 0, fetch.min.bytes 1, fetch.wait.max 20 ms"
POLL_S = 0.1
WARM_UP, WARM_UP_WITHIN_S = 50, 10.0
"""The first records of a new client are slow; they would be the echo's p99."""


def consumer_of(kafka: str, places: Sequence[tuple[str, int]]) -> "Consumer":
    """Return a consumer that stands at the ends of the partitions."""
    consumer = Consumer({"bootstrap.servers": kafka, **CONSUMING})
    at_end = []
    for topic, partition in places:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        at_end.append(TopicPartition(topic, partition, end))
    consumer.assign(at_end)
    return consumer


def producer_of(kafka: str) -> "Producer":
    """Return a producer with our adapter's settings."""
    return Producer({"bootstrap.servers": kafka, **PRODUCING})


@dataclass(slots=True)
class Heard:
    """What a probe heard: nanoseconds on the monotonic clock."""

    echoes: list[tuple[int, float]] = field(default_factory=list)
    """When a message was due, and the milliseconds from then to its echo."""
    others: list[tuple[int, bytes]] = field(default_factory=list)
    """When a record of the other partition was heard, and its value."""


class Probe:
    """Sends to the echo and listens; `with` it: listening begins at once."""

    def __init__(
        self, kafka: str, echo: tuple[str, str], other: tuple[str, int] | None = None
    ) -> None:
        self.heard = Heard()
        self._topic_in, self._topic_out = echo
        self._producer = producer_of(kafka)
        self._due_ns: dict[int, int] = {}
        self._warm = threading.Semaphore(0)
        self._stopping = False
        places = [(self._topic_out, 0)] + ([other] if other else [])
        self._consumer = consumer_of(kafka, places)
        self._listening = threading.Thread(target=self._listen, name="probe", daemon=True)

    def __enter__(self) -> Self:
        self._listening.start()
        for _ in range(WARM_UP):
            self._produce(0)
            if not self._warm.acquire(timeout=WARM_UP_WITHIN_S):
                self.__exit__()
                raise RuntimeError(f"no echo came within {WARM_UP_WITHIN_S:.0f} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._listening.join()
        self._consumer.close()
        self._producer.flush(5)

    def send(self, rate: float, seconds: float, seed: int) -> None:
        """Send at Poisson times for so long; blocks."""
        chance = random.Random(f"{seed} echo")  # noqa: S311 - arrivals, no secrets
        due_s, end_s = time.monotonic(), time.monotonic() + seconds
        number = len(self._due_ns)
        while (due_s := due_s + chance.expovariate(rate)) < end_s:
            left_s = due_s - time.monotonic()
            if left_s > 0:
                time.sleep(left_s)
            number += 1
            self._due_ns[number] = round(due_s * 1e9)
            self._produce(number)
        self._producer.flush(5)

    def _produce(self, number: int) -> None:
        value = number.to_bytes(8, "big") + bytes(PAYLOAD_BYTES - 8)
        self._producer.produce(self._topic_in, value, b"bench", 0)
        self._producer.poll(0)

    def _listen(self) -> None:
        while not self._stopping:
            message: Any = self._consumer.poll(POLL_S)
            if message is None or message.error():
                continue
            now_ns = time.monotonic_ns()
            if message.topic() != self._topic_out:
                self.heard.others.append((now_ns, message.value()))
                continue
            number = int.from_bytes(message.value()[:8], "big")
            due_ns = self._due_ns.get(number)
            if number == 0:
                self._warm.release()
            elif due_ns is not None:
                self.heard.echoes.append((due_ns, (now_ns - due_ns) / 1e6))


def main(kafka: str, topic_in: str, topic_out: str) -> None:
    """Echo until told to stop."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    consumer, producer = consumer_of(kafka, []), producer_of(kafka)
    # From the beginning: whoever sends first need not know whether this process is there yet.
    consumer.assign([TopicPartition(topic_in, 0, 0)])
    while not stopping:
        message: Any = consumer.poll(POLL_S)
        if message is not None and not message.error():
            producer.produce(topic_out, message.value(), message.key(), 0)
        producer.poll(0)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
