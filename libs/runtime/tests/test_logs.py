"""Logs: one form for all, with the trace, without people's data."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from huntgroup.event.v1 import envelope_pb2
from huntgroup_runtime.logs import configure_logs, get_logger
from huntgroup_runtime.telemetry import Telemetry

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_service_partition_and_trace(stream: io.StringIO) -> None:
    configure_logs(service="routing", stream=stream)
    log = get_logger("huntgroup_routing.core", partition=3)
    with Telemetry.off().start_process_span("x", PARENT):
        log.info("offer extended", offer_id="o1")
    log.debug("not at this level")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "offer extended",
        "level": "info",
        "logger": "huntgroup_routing.core",
        "service": "routing",
        "partition": 3,
        "trace_id": "a" * 32,
        "offer_id": "o1",
    }


def test_logs_of_libraries_take_the_same_way(stream: io.StringIO) -> None:
    configure_logs(service="routing", stream=stream)
    logging.getLogger("some.library").warning("%d retries", 3)
    logging.getLogger("aiokafka.conn").info("chatter")
    (line,) = lines(stream)
    assert (line["event"], line["service"], line["logger"]) == (
        "3 retries",
        "routing",
        "some.library",
    )


def test_personal_data_is_left_out(stream: io.StringIO) -> None:
    configure_logs(service="session", stream=stream)
    message = envelope_pb2.CommandContext(domain="acme/emea", command_id="+441632960000")
    get_logger("x").info("contact started", customer_endpoint="+441632960000", about=message)
    customer = "+441632960000"
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        get_logger("x").exception("failed")
    assert customer not in stream.getvalue()
    first, second = lines(stream)
    assert first["customer_endpoint"] == "(left out)"
    assert first["about"] == "(huntgroup.event.v1.CommandContext)"
    assert "RuntimeError: broken" in second["exception"]


def test_the_console_form_is_for_people(stream: io.StringIO) -> None:
    configure_logs(service="routing", style="console", level="warning", stream=stream)
    get_logger("x").warning("careful", partition=3)
    get_logger("x").info("not at this level")
    assert "careful" in stream.getvalue()
    assert "partition=3" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
