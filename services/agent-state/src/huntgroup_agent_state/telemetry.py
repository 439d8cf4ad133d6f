"""The metrics of agent state beside those of the frame; `huntgroup_runtime.metrics` says what each means."""

from typing import Final

from huntgroup_runtime.metrics import MetricName

DESKTOP_STREAMS: Final[MetricName] = "huntgroup.desktop.streams"
DESKTOP_SENT: Final[MetricName] = "huntgroup.desktop.sent"
DESKTOP_RECEIVED: Final[MetricName] = "huntgroup.desktop.received"
