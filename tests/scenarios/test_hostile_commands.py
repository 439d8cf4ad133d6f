"""Every command of every service, driven with wrong and hostile values: the right status, a reason, nothing changed."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huntgroup.agent_state.v1 import service_pb2 as agent_state_pb
from huntgroup.recording.v1 import service_pb2 as recording_pb
from huntgroup.reporting.v1 import service_pb2 as reporting_pb
from huntgroup.routing.v1 import commands_pb2 as routing_commands
from huntgroup.routing.v1 import service_pb2 as routing_pb
from huntgroup.routing.v1.events_pb2 import CHANNEL_VOICE
from huntgroup.session.v1 import service_pb2 as session_pb
from huntgroup_eventlog.adapters.memory import MemoryLog
from huntgroup_eventlog.snapshots import ObjectSnapshotStore
from huntgroup_onebox.box import Box, box_settings
from huntgroup_runtime.journals import all_idle
from huntgroup_runtime.rpc.errors import RpcRefusedError, from_rpc_error

DOMAIN = "acme/emea"
EXAMPLES = 60
ANSWERS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
MODULES = (session_pb, agent_state_pb, routing_pb, recording_pb, reporting_pb)
UNARY = [
    method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming and not method.server_streaming
]
COMMANDS = [method for method in UNARY if "context" in method.input_type.fields_by_name]

NASTY_TEXT = st.one_of(
    st.sampled_from(
        ["", " ", "\x00", "a\x00b", "../../etc", "' OR 1=1 --", "é" * 80, "a" * 65, "a" * 5_000]
    ),
    st.sampled_from(["alice", "bob", "q", "c1", "c1.1", DOMAIN, "acme", "ACME/EMEA", "/", "a/b/c"]),
    st.text(max_size=40),
)
NASTY_INT32 = st.one_of(
    st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]), st.integers(-(2**31), 2**31 - 1)
)
NASTY_INT64 = st.one_of(
    st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1)
)


def messages(message_class: type[Message]) -> st.SearchStrategy[Message]:
    """Return requests with any subset of fields, each with any value that the wire can carry."""
    descriptor = message_class.DESCRIPTOR
    fields = {field.name: values(field) for field in descriptor.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda words: message_class(**words))


def values(field: Any) -> st.SearchStrategy[Any]:
    """Return any value of a field."""
    one: st.SearchStrategy[Any]
    if field.name == "domain":
        one = st.one_of(st.just(DOMAIN), st.just(DOMAIN), NASTY_TEXT)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        one = messages(GetMessageClass(field.message_type))
    elif field.type == FieldDescriptor.TYPE_STRING:
        one = NASTY_TEXT
    elif field.type == FieldDescriptor.TYPE_BOOL:
        one = st.booleans()
    elif field.type == FieldDescriptor.TYPE_BYTES:
        one = st.binary(max_size=200)
    elif field.type == FieldDescriptor.TYPE_INT64:
        one = NASTY_INT64
    else:
        one = NASTY_INT32
    return st.lists(one, max_size=5) if field.is_repeated else one


@dataclass
class Target:
    """A box that serves on a loop of its own, for tests that are not coroutines."""

    loop: asyncio.AbstractEventLoop
    box: Box
    channel: grpc.aio.Channel

    def call(self, method: MethodDescriptor, request: Message) -> Message | RpcRefusedError:
        path = f"/{method.containing_service.full_name}/{method.name}"

        async def calling() -> Any:
            stub = self.channel.unary_unary(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            try:
                return await stub(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                return from_rpc_error(error)

        answer: Message | RpcRefusedError = self.loop.run_until_complete(calling())
        return answer

    def states(self) -> list[bytes]:
        """Return the state of every domain of every service, once nothing is under way."""

        async def settle() -> None:
            while not all_idle(self.box.process.journals):  # noqa: ASYNC110 - no one event says so
                await asyncio.sleep(0.001)

        self.loop.run_until_complete(settle())
        return [
            journals.application.core.dump(domain.state)
            for journals in self.box.process.journals
            for owner in journals.partitions
            for _, domain in sorted(owner.replica.fold.domains.items())
        ]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    loop = asyncio.new_event_loop()

    async def starting() -> Target:
        settings_ = box_settings(
            log_url="memory://", grpc_listen="127.0.0.1:0", http_listen="127.0.0.1:0"
        )
        log = MemoryLog(settings_.log_partitions)
        box = Box(settings_, log, ObjectSnapshotStore.from_url(""))
        await box.wire()
        await box.process.start()
        await box.ready(20)
        return Target(loop, box, grpc.aio.insecure_channel(box.address))

    made = loop.run_until_complete(starting())
    configured = routing_commands.ConfigureQueueRequest(
        queue_id="q",
        channel=CHANNEL_VOICE,
        ring_timeout_ms=60_000,
        service_level_threshold_ms=20_000,
    )
    configured.context.domain, configured.context.command_id = DOMAIN, "setup"
    configure = next(one for one in COMMANDS if one.name == "ConfigureQueue")
    assert not isinstance(made.call(configure, configured), RpcRefusedError)
    yield made

    async def stopping() -> None:
        await made.channel.close()
        await made.box.stop()

    loop.run_until_complete(stopping())
    loop.close()


@pytest.mark.parametrize("method", UNARY, ids=lambda one: one.full_name.removeprefix("huntgroup."))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_hostile_values_are_refused_with_a_reason_and_change_nothing(
    target: Target, method: MethodDescriptor, data: st.DataObject
) -> None:
    request = data.draw(messages(GetMessageClass(method.input_type)))
    before = target.states()
    answer = target.call(method, request)
    if not isinstance(answer, RpcRefusedError):
        return
    assert answer.status in ANSWERS, f"{answer.status}: {answer}"
    assert answer.reason, f"no reason: {answer}"
    if answer.reason == "INVALID_FIELDS":
        assert answer.violations
    assert target.states() == before


@pytest.mark.parametrize(
    "method", COMMANDS, ids=lambda one: one.full_name.removeprefix("huntgroup.")
)
def test_an_empty_command_names_every_field_it_lacks(
    target: Target, method: MethodDescriptor
) -> None:
    answer = target.call(method, GetMessageClass(method.input_type)())
    assert isinstance(answer, RpcRefusedError)
    assert answer.status is grpc.StatusCode.INVALID_ARGUMENT
    assert "context" in {violation.field for violation in answer.violations}


@pytest.mark.parametrize("method", UNARY, ids=lambda one: one.full_name.removeprefix("huntgroup."))
def test_a_message_beyond_the_limit_is_refused(target: Target, method: MethodDescriptor) -> None:
    request = GetMessageClass(method.input_type)()
    # An unknown field: the server must look at the size before anything else.
    request.MergeFromString(b"\xfa\xff\x01" + b"\x80\x80\x80\x01" + bytes(2 * 1024 * 1024))
    answer = target.call(method, request)
    assert isinstance(answer, RpcRefusedError)
    assert answer.status is grpc.StatusCode.RESOURCE_EXHAUSTED
