"""What the contract says a call is to the contact centre: new work, a read, or work in progress."""

from typing import Final

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from huntgroup.event.v1 import options_pb2
from huntgroup_runtime.rpc.admission import Work

_WORK: Final = {
    options_pb2.WORK_NEW: Work.NEW,
    options_pb2.WORK_READ: Work.READ,
    options_pb2.WORK_IN_PROGRESS: Work.IN_PROGRESS,
}


def work_of(method: MethodDescriptor) -> Work:
    """Return what a call of `method` is; an rpc of which nothing is said serves work in progress."""
    return _WORK.get(method.GetOptions().Extensions[options_pb2.work], Work.IN_PROGRESS)


def work_of_path(path: str) -> Work:
    """Return the same for `package.Service/Method`; raises `KeyError` when no contract names it."""
    return work_of(descriptor_pool.Default().FindMethodByName(path.replace("/", ".")))
