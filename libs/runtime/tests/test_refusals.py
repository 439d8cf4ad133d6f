"""A refusal crosses the wire whatever it says: gRPC drops answers whose metadata is larger than 8 KiB."""

import grpc

from huntgroup_contracts.validation import Violation
from huntgroup_runtime.rpc.errors import RpcRefusedError, refused_with, to_status

METADATA_BYTES_MAX = 8_192


def test_a_long_refusal_is_cut_and_keeps_its_reason_and_first_violations() -> None:
    violations = [
        Violation(field=f"queues[{n}]", value="é" * 100, rule="is new") for n in range(99)
    ]
    refused = RpcRefusedError(
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "é" * 9_000, violations=violations
    )
    status = to_status(refused, "huntgroup.routing")
    trailing = tuple(status.trailing_metadata)
    raw = sum(len(value) * 4 // 3 for _, value in trailing)
    assert raw + 3 * len(status.details.encode()) < METADATA_BYTES_MAX
    told = refused_with(status.code, status.details, trailing)
    assert told.reason == "INVALID_REQUEST"
    assert told.detail.endswith("…")
    assert 1 <= len(told.violations) < len(violations)
    assert told.violations[0].field == "queues[0]"


def test_a_short_refusal_is_whole() -> None:
    refused = RpcRefusedError(grpc.StatusCode.NOT_FOUND, "QUEUE_UNKNOWN", "there is no queue 'é'")
    assert to_status(refused, "huntgroup.routing").details == "there is no queue 'é'"
