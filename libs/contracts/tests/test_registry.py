"""Every public event type is found, belongs to one service and says so itself."""

import re
import subprocess
import sys
from importlib import import_module

import pytest

from huntgroup.event.v1.options_pb2 import event_type
from huntgroup.session.v1 import events_pb2
from huntgroup_contracts import registry
from huntgroup_contracts.errors import UnknownEventError
from huntgroup_contracts.registry import SERVICES

TYPE = re.compile(r"huntgroup\.[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*\.v1")


def test_the_services_are_the_five() -> None:
    assert SERVICES == ("session", "agent-state", "routing", "recording", "reporting")


def test_a_type_finds_its_class() -> None:
    found = registry.event_class("huntgroup.session.contact.queued.v1")
    assert found is events_pb2.ContactQueued


@pytest.mark.parametrize("service", SERVICES)
def test_every_message_of_every_events_proto_is_an_event_or_part_of_one(service: str) -> None:
    module = import_module(f"huntgroup.{service.replace('-', '_')}.v1.events_pb2")
    messages = module.DESCRIPTOR.message_types_by_name.values()
    events = {m.full_name for m in messages if m.GetOptions().Extensions[event_type]}
    assert {c.DESCRIPTOR.full_name for c in registry.classes_of(service).values()} == events
    parts = {f.message_type.full_name for m in messages for f in m.fields if f.message_type}
    assert {m.full_name for m in messages} - events <= parts


def test_types_are_unique_well_formed_and_name_their_service() -> None:
    types = registry.event_types()
    assert len(types) == len(set(types)) >= 50
    for type_ in types:
        assert TYPE.fullmatch(type_), type_
        context = registry.event_class(type_).DESCRIPTOR.full_name.split(".")[1]
        assert registry.service_of(type_).replace("-", "_") == context


@pytest.mark.parametrize(
    "type_",
    ["", "huntgroup", "huntgroup.billing.x.y.v1", "huntgroup.session", "session.contact.queued.v1"],
)
def test_a_type_of_no_service_is_told(type_: str) -> None:
    with pytest.raises(UnknownEventError):
        registry.service_of(type_)
    with pytest.raises(UnknownEventError):
        registry.event_class(type_)


def test_an_unknown_type_of_a_service_is_told_by_name() -> None:
    with pytest.raises(UnknownEventError, match=r"huntgroup\.session\.contact\.queued\.v2"):
        registry.event_class("huntgroup.session.contact.queued.v2")


def test_the_events_of_no_service_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="billing"):
        registry.classes_of("billing")


def test_topics_carry_service_kind_and_version() -> None:
    assert registry.topic_journal("agent-state") == "huntgroup.agent-state.journal.v1"
    assert registry.topic_events("agent-state") == "huntgroup.agent-state.events.v1"
    assert registry.topic_dlq("agent-state") == "huntgroup.agent-state.dlq.v1"


def test_a_context_is_imported_only_when_asked_for() -> None:
    program = """
import sys
from huntgroup_contracts import registry
def contexts(): return {name.split(".")[1] for name in sys.modules if name.endswith("events_pb2")}
assert contexts() == set(), contexts()
registry.event_class("huntgroup.agent-state.agent.reserved.v1")
assert contexts() == {"agent_state"}, contexts()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
