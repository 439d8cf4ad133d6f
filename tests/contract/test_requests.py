"""What every request of every service has in common: its rules fit, and nobody can send without bounds."""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.event.v1.options_pb2 import WORK_UNSPECIFIED, rules, work
from huntgroup_contracts.registry import SERVICES
from huntgroup_contracts.validation import violations


def methods() -> Iterator[Any]:
    """Yield every method of every service."""
    for service in SERVICES:
        file = import_module(f"huntgroup.{service.replace('-', '_')}.v1.service_pb2").DESCRIPTOR
        for description in file.services_by_name.values():
            yield from description.methods


METHODS = {method.full_name: method for method in methods()}
REQUESTS = [GetMessageClass(method.input_type) for method in METHODS.values()]


def fields_within(descriptor: Any) -> Iterator[FieldDescriptor]:
    for field in descriptor.fields:
        yield field
        if field.message_type is not None:
            yield from fields_within(field.message_type)


@pytest.mark.parametrize("request_class", REQUESTS, ids=METHODS)
def test_every_rule_fits_its_field(request_class: type[Message]) -> None:
    fill_messages(request := request_class())
    violations(request)


def fill_messages(message: Message) -> None:
    """Add one of every message within, so that the rules of all of them are looked at."""
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        if field.message_type is None:
            continue
        place = getattr(message, field.name)
        inner = place.add() if field.is_repeated else place
        inner.SetInParent()
        violations(message)  # of a oneof only the last one stays
        fill_messages(inner)


@pytest.mark.parametrize("request_class", REQUESTS, ids=METHODS)
def test_every_text_and_list_of_a_request_is_bounded(request_class: type[Message]) -> None:
    unbounded = []
    for field in fields_within(request_class.DESCRIPTOR):
        field_rules = field.GetOptions().Extensions[rules]
        if field.type == FieldDescriptor.TYPE_STRING and not field_rules.max_length:
            unbounded.append(f"{field.full_name}: max_length")
        if field.is_repeated and not field_rules.max_items:
            unbounded.append(f"{field.full_name}: max_items")
    assert not unbounded


@pytest.mark.parametrize("request_class", REQUESTS, ids=METHODS)
def test_every_domain_is_checked_like_that_of_a_command(request_class: type[Message]) -> None:
    of_commands = CommandContext.DESCRIPTOR.fields_by_name["domain"].GetOptions().Extensions[rules]
    domains = [one for one in fields_within(request_class.DESCRIPTOR) if one.name == "domain"]
    assert domains, "a request names its domain"
    for field in domains:
        assert field.GetOptions().Extensions[rules] == of_commands, field.full_name


@pytest.mark.parametrize("request_class", REQUESTS, ids=METHODS)
def test_every_pattern_is_one_that_re2_knows(request_class: type[Message]) -> None:
    """Clients in other languages check with the same pattern: no look-around and no back-references."""
    for field in fields_within(request_class.DESCRIPTOR):
        pattern = field.GetOptions().Extensions[rules].pattern
        re.compile(pattern)
        assert not re.search(r"\(\?|\\[1-9kZ]|[*+?}]\+", pattern), field.full_name


@pytest.mark.parametrize("request_class", REQUESTS, ids=METHODS)
def test_a_request_names_its_domain(request_class: type[Message]) -> None:
    """By a command's required context, or by a query's or a stream's first message's required domain."""
    names = [
        field.name
        for field in fields_within(request_class.DESCRIPTOR)
        if field.name in {"context", "domain"} and field.GetOptions().Extensions[rules].required
    ]
    assert names


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_rpc_says_what_it_is_to_the_contact_centre(method: Any) -> None:
    assert method.GetOptions().Extensions[work] != WORK_UNSPECIFIED
