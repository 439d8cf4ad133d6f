"""Compiles small .proto texts, so that a test shows the contract that it is about."""

import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

from huntgroup.event.v1 import options_pb2

PROTO = Path(__file__).resolve().parents[3] / "proto"
HEADER = """
syntax = "proto3";
package {package};
import "huntgroup/event/v1/options.proto";
"""
CompileProto = Callable[[str], ModuleType]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def compile_proto(tmp_path_factory: pytest.TempPathFactory) -> CompileProto:
    """Return a function that makes a module, as protoc would, of the messages in a text."""
    assert options_pb2.DESCRIPTOR.name  # what every text imports is in the pool

    def compile_text(text: str) -> ModuleType:
        folder = tmp_path_factory.mktemp("proto")
        package = f"test{next(_numbers)}"
        source, output = folder / f"{package}.proto", folder / "set.binpb"
        source.write_text(HEADER.format(package=package) + text, encoding="utf-8")
        include = [f"-I{folder}", f"-I{PROTO}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
        arguments = ["protoc", *include, f"--descriptor_set_out={output}", source.name]
        assert protoc.main(arguments) == 0
        pool = descriptor_pool.Default()
        for file in FileDescriptorSet.FromString(output.read_bytes()).file:
            pool.AddSerializedFile(file.SerializeToString())
        module = ModuleType(package)
        module.DESCRIPTOR = pool.FindFileByName(source.name)  # type: ignore[attr-defined]
        for name, descriptor in module.DESCRIPTOR.message_types_by_name.items():
            message_class: type[Message] = GetMessageClass(descriptor)
            setattr(module, name, message_class)
        return module

    return compile_text
