"""What a journal tells about itself: messaging spans and metrics, and Huntgroup's own, for one partition."""

from collections.abc import Sequence

from huntgroup_runtime.metrics import MetricName
from huntgroup_runtime.telemetry import Span, Telemetry


class JournalTelemetry:
    """The instruments of one partition of one journal; all of them exist from the start, at 0."""

    def __init__(self, telemetry: Telemetry, *, service: str, topic: str, partition: int) -> None:
        self._telemetry = telemetry
        self._destination = {
            "messaging.system": telemetry.messaging_system,
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
        }
        own = {"huntgroup.service": service, "partition": str(partition)}
        self.appended = telemetry.counter("huntgroup.journal.appended", own)
        self.accepted = telemetry.counter("huntgroup.journal.accepted", own)
        self.ignored = telemetry.counter("huntgroup.journal.ignored", own)
        self.parked = telemetry.counter("huntgroup.journal.parked", own)
        self.claims = telemetry.counter("huntgroup.journal.claims", own)
        self.retired = telemetry.counter("huntgroup.journal.retired", own)
        self.owned = telemetry.gauge("huntgroup.journal.owned", own)
        self.halted = telemetry.gauge("huntgroup.journal.halted", own)
        self.inflight = telemetry.gauge("huntgroup.journal.inflight", own)
        self.relay_published = telemetry.counter("huntgroup.relay.published", own)
        self.relay_lag = telemetry.gauge("huntgroup.relay.lag", own)
        self.snapshots_stored = telemetry.counter("huntgroup.snapshots.stored", own)
        self.snapshots_failed = telemetry.counter("huntgroup.snapshots.failed", own)
        self._sent = telemetry.counter("messaging.client.sent.messages", self._words("send"))
        self._consumed = telemetry.counter(
            "messaging.client.consumed.messages", self._words("receive")
        )
        self._send_words = self._words("send")
        self._process_words = self._words("process")
        operation: MetricName = "messaging.client.operation.duration"
        self._sending = telemetry.metrics.histogram(operation, self._send_words)
        self._receiving = telemetry.metrics.histogram(operation, self._words("receive"))
        self._processing = telemetry.metrics.histogram(
            "messaging.process.duration", self._process_words
        )
        self._topic = topic

    def sent(self, seconds: float, error_type: str = "") -> None:
        """Count one append that took `seconds`; `error_type` is the kind of its failure, if it failed."""
        if error_type:
            words = {**self._send_words, "error.type": error_type}
            failing = self._telemetry.metrics.histogram(
                "messaging.client.operation.duration", words
            )
            failing.record(seconds)
            return
        self._sent.add()
        self._sending.record(seconds)

    def received(self, seconds: float, records: int) -> None:
        """Count one read that returned `records` (more than 0); waiting for the first is part of `seconds`."""
        self._consumed.add(records)
        self._receiving.record(seconds)

    def processed(self, seconds: float) -> None:
        """Count one batch of inputs that was decided in `seconds`."""
        self._processing.record(seconds)

    @property
    def tracing(self) -> bool:
        """Whether spans are recorded."""
        return self._telemetry.tracing

    def send_span(self, traceparents: Sequence[str]) -> Span:
        """Begin the span of appending one record, caused by the work with these trace contexts."""
        if not self._telemetry.tracing:
            return Span("", None)
        name = f"send {self._topic}"
        return self._telemetry.start_send_span(name, traceparents, self._send_words)

    def process_span(self, traceparent: str, position: int) -> Span:
        """Begin the span of taking in what the record at `position` says; events decided in it carry its context."""
        if not self._telemetry.tracing:
            return Span(traceparent, None)
        span = self._telemetry.start_process_span(
            f"process {self._topic}", traceparent, self._process_words
        )
        span.set("messaging.kafka.offset", position)
        return span

    def _words(self, operation: str) -> dict[str, str]:
        return {
            **self._destination,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
        }
