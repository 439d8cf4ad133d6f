"""The .proto files with their comments: messages, enums and services as the pages need them."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from huntgroup.event.v1.options_pb2 import FieldRules, Work, event_type, rules, work

_MESSAGES, _ENUMS, _SERVICES, _MEMBERS = 4, 5, 6, 2
"""Field numbers in a descriptor's paths: of a file, and of a message, enum or service."""
_SCALARS = {number: name[5:].lower() for name, number in FieldDescriptorProto.Type.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a message."""

    name: str
    comment: str
    kind: str
    """`string`, `int64`, … or the full name of a message or an enum."""
    repeated: bool
    rules: FieldRules
    oneof: str
    """The choice that the field is one of; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `event_type` is its public type, if it is an event."""

    full_name: str
    comment: str
    fields: Sequence[Field]
    event_type: str

    @property
    def name(self) -> str:
        """The name without its package."""
        return self.full_name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumType:
    """One enum, with the comment of each value."""

    full_name: str
    comment: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One method."""

    name: str
    comment: str
    work: str
    """What a call is to the contact centre: `NEW`, `READ` or `IN_PROGRESS`."""
    request: str
    response: str
    request_stream: bool
    response_stream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One gRPC service."""

    full_name: str
    comment: str
    rpcs: Sequence[Rpc]


@dataclass(frozen=True, slots=True)
class Contracts:
    """Everything that is declared, by full name, in the order of the files."""

    messages: dict[str, Message] = field(default_factory=dict)
    enums: dict[str, EnumType] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)

    def events_of(self, package: str) -> Iterator[Message]:
        """Yield the events of a package such as `huntgroup.session.v1`."""
        for name, message in self.messages.items():
            if message.event_type and name.rpartition(".")[0] == package:
                yield message

    def enums_of(self, package: str) -> Iterator[EnumType]:
        """Yield the enums of a package."""
        return (one for name, one in self.enums.items() if name.rpartition(".")[0] == package)

    def service_of(self, package: str) -> Service:
        """Return the one service of a package."""
        (found,) = (s for name, s in self.services.items() if name.rpartition(".")[0] == package)
        return found


def package_of(service: str) -> str:
    """Return the proto package of a service: `huntgroup.agent_state.v1` of `agent-state`."""
    return f"huntgroup.{service.replace('-', '_')}.v1"


def read_contracts(proto: Path) -> Contracts:
    """Return what the .proto files below `proto` declare."""
    contracts = Contracts()
    for file in _compile(proto).file:
        _take_file(file, contracts)
    return contracts


def _compile(proto: Path) -> FileDescriptorSet:
    sources = sorted(str(path.relative_to(proto)) for path in proto.glob("huntgroup/*/v1/*.proto"))
    well_known = Path(protoc.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Path(scratch) / "contracts.binpb"
        options = [f"--proto_path={proto}", f"--proto_path={well_known}", "--include_source_info"]
        failed = protoc.main(["protoc", *options, f"--descriptor_set_out={compiled}", *sources])
        if failed:
            raise SystemExit(failed)
        return FileDescriptorSet.FromString(compiled.read_bytes())


def _take_file(file: FileDescriptorProto, contracts: Contracts) -> None:
    comments = {
        tuple(place.path): " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
    }
    for index, enum in enumerate(file.enum_type):
        name = f"{file.package}.{enum.name}"
        contracts.enums[name] = _enum(name, enum, comments, (_ENUMS, index))
    for index, message in enumerate(file.message_type):
        if message.nested_type or message.enum_type:
            raise ValueError(f"{file.name}: {message.name} declares another type within itself")
        name = f"{file.package}.{message.name}"
        contracts.messages[name] = _message(name, message, comments, (_MESSAGES, index))
    for index, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        contracts.services[name] = _service(name, service, comments, (_SERVICES, index))


_Comments = Mapping[tuple[int, ...], str]


def _enum(
    name: str, enum: EnumDescriptorProto, comments: _Comments, path: tuple[int, ...]
) -> EnumType:
    values = {
        value.name: comments.get((*path, _MEMBERS, index), "")
        for index, value in enumerate(enum.value)
        if value.number
    }
    return EnumType(full_name=name, comment=comments.get(path, ""), values=values)


def _message(
    name: str, message: DescriptorProto, comments: _Comments, path: tuple[int, ...]
) -> Message:
    return Message(
        full_name=name,
        comment=comments.get(path, ""),
        fields=[
            _field(message, one, comments.get((*path, _MEMBERS, index), ""))
            for index, one in enumerate(message.field)
        ],
        event_type=message.options.Extensions[event_type],
    )


def _field(message: DescriptorProto, one: FieldDescriptorProto, comment: str) -> Field:
    return Field(
        name=one.name,
        comment=comment,
        kind=one.type_name.lstrip(".") or _SCALARS[one.type],
        repeated=one.label == FieldDescriptorProto.LABEL_REPEATED,
        rules=one.options.Extensions[rules],
        oneof=message.oneof_decl[one.oneof_index].name if one.HasField("oneof_index") else "",
    )


def _service(
    name: str, service: ServiceDescriptorProto, comments: _Comments, path: tuple[int, ...]
) -> Service:
    rpcs = [
        Rpc(
            name=method.name,
            comment=comments.get((*path, _MEMBERS, index), ""),
            work=Work.Name(method.options.Extensions[work]).removeprefix("WORK_"),
            request=method.input_type.lstrip("."),
            response=method.output_type.lstrip("."),
            request_stream=method.client_streaming,
            response_stream=method.server_streaming,
        )
        for index, method in enumerate(service.method)
    ]
    return Service(full_name=name, comment=comments.get(path, ""), rpcs=rpcs)
