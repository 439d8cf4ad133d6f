"""Structured logs: one line a happening, with the trace it belongs to, and never personal data."""

import logging
import sys
from typing import Any, Final, Literal, TextIO

import structlog
from google.protobuf.message import Message
from structlog.typing import EventDict, Processor, WrappedLogger

from huntgroup_runtime.telemetry import current_traceparent

PERSONAL_KEYS: Final = frozenset(
    {
        *("customer_endpoint", "system_endpoint", "attributes", "display_name"),
        *("payload", "request", "response", "command", "event_payload", "violations"),
    }
)
"""Keys whose values may say something about a person: their values are left out of every log."""

LEFT_OUT: Final = "(left out)"

_LIBRARIES_AT_WARNING: Final = ("aiokafka", "asyncio", "grpc", "opentelemetry", "sqlalchemy")


def configure_logs(
    *,
    service: str,
    level: Literal["debug", "info", "warning", "error", "critical"] = "info",
    style: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Send all logs of the process, those of libraries too, to `stream` (standard error) in one form.

    Each line has `event`, `level`, `timestamp` (UTC), `logger`, `service`, and `trace_id` within a trace; whatever
    else was bound (`partition`, `domain`). A logger is had by `structlog.stdlib.get_logger(__name__)`.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _ServiceName(service),
        add_trace_id,
        leave_out_personal_data,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(style, handler.stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _LIBRARIES_AT_WARNING:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def add_trace_id(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Say which trace the line belongs to, if any."""
    traceparent = current_traceparent()
    if traceparent:
        entry["trace_id"] = traceparent[3:35]
    return entry


def leave_out_personal_data(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    """Replace what may speak of a person: values of `PERSONAL_KEYS`, and protobuf messages by their type."""
    for key, value in entry.items():
        if key in PERSONAL_KEYS:
            entry[key] = LEFT_OUT
        elif isinstance(value, Message):
            entry[key] = f"({value.DESCRIPTOR.full_name})"
    return entry


class _ServiceName:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: WrappedLogger, __: str, entry: EventDict) -> EventDict:
        entry.setdefault("service", self._service)
        return entry


def _rendering(style: Literal["json", "console"], stream: TextIO) -> list[Processor]:
    if style == "json":
        # Plain tracebacks: the rich ones would show local variables, and so people's data.
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


def get_logger(name: str, **bound: Any) -> structlog.stdlib.BoundLogger:
    """Return a logger that says `bound` (for example `service=…, partition=…`) on each of its lines."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name, **bound)
    return logger
