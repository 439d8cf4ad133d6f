"""What a frozen owner may answer when it runs again: what its successor did, or nothing."""

from collections.abc import Awaitable
from typing import Any

import grpc
import pytest

from huntgroup.event.v1.envelope_pb2 import Receipt
from huntgroup.reporting.v1 import commands_pb2 as reporting_pb
from huntgroup.routing.v1 import commands_pb2 as routing_pb
from huntgroup_onebox.box import SERVICES
from huntgroup_onebox.chaos.zombie import (
    FACTS,
    STUBS,
    Question,
    answer,
    not_before,
    repeats,
    shows,
)

KNOWN = Receipt(command_id="c1", position=7)


def done(receipt: Receipt) -> Any:
    return routing_pb.ConfigureQueueResponse(receipt=receipt)


def report(**positions: int) -> Any:
    sources = [
        reporting_pb.SourceProgress(service=service, position=position)
        for service, position in positions.items()
    ]
    return reporting_pb.GetReportResponse(sources=sources)


@pytest.mark.parametrize(
    ("told", "right"),
    [
        (Receipt(command_id="c1", position=7, repeated=True), True),
        (Receipt(command_id="c1", position=7), False),
        (Receipt(command_id="c1", position=8, repeated=True), False),
        (Receipt(command_id="c2", position=7, repeated=True), False),
    ],
)
def test_a_command_that_was_carried_out_elsewhere_gets_the_same_reply(
    told: Receipt, *, right: bool
) -> None:
    assert (repeats(KNOWN)(done(told)) == "") is right


def test_a_question_is_answered_with_what_was_asked_for() -> None:
    judge = shows("queue", "queue_id", "new")
    found = routing_pb.GetQueueResponse(queue=routing_pb.QueueView(queue_id="new"))
    assert judge(found) == ""
    assert "instead of 'new'" in judge(routing_pb.GetQueueResponse())


def test_a_report_never_goes_back() -> None:
    judge = not_before(report(session=5, routing=9))
    assert judge(report(session=5, routing=10)) == ""
    assert "after a report that had taken in" in judge(report(session=4, routing=10))
    assert judge(report(routing=10))
    assert not_before(report())(report(session=5)), (
        "a report that had taken in nothing proves nothing"
    )


def test_every_service_has_something_to_be_asked_about() -> None:
    assert set(FACTS) == set(STUBS) == set(SERVICES)


@pytest.mark.parametrize(
    ("status", "right"),
    [
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.CANCELLED, True),
        (grpc.StatusCode.NOT_FOUND, False),
        (grpc.StatusCode.DEADLINE_EXCEEDED, False),
    ],
)
async def test_to_be_sent_elsewhere_is_right_and_any_other_refusal_is_not(
    status: grpc.StatusCode, *, right: bool
) -> None:
    async def refused() -> Awaitable[Any]:
        raise grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(), details="so")

    question = Question(rpc="GetQueue", request=None, wrong=lambda _: "not asked")
    said = await answer(question, refused())
    assert (said == "") is right
    assert right or said.startswith("GetQueue: ")
