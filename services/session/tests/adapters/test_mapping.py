"""The core's words and the wire's are the same words."""

from functools import cache
from typing import TYPE_CHECKING, get_args, get_type_hints

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from huntgroup.session.v1.commands_pb2 import ContactView
from huntgroup.session.v1.events_pb2 import CHANNEL_VOICE
from huntgroup_session.adapters.mapping import STATUSES, contact_view, event_codec
from huntgroup_session.core.messages import Event, Reason

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

codec = cache(event_codec)
NUMBERS = st.integers(-(2**31), 2**31 - 1)  # priority and waiting_max have no more bits on the wire


def said(kind: type) -> st.SearchStrategy[Event]:
    numbers = {name: NUMBERS for name, hint in get_type_hints(kind).items() if hint is int}
    return st.builds(kind, **numbers)


@given(st.one_of(*(said(kind) for kind in get_args(Event))))
def test_every_event_is_read_as_it_was_written(event: Event) -> None:
    assert codec().decode(*codec().encode(event)) == event


def test_every_reason_has_a_status_of_its_own_choice() -> None:
    assert set(STATUSES) == set(Reason)
    assert StatusCode.OK not in STATUSES.values()


@pytest.mark.parametrize(
    ("phase", "shown"),
    [
        ("initiated", ContactView(state="INITIATED")),
        (
            "queued",
            ContactView(state="QUEUED", queue_id="sales", priority=5, enqueued_at_ms=2_000),
        ),
        (
            "on_hold",
            ContactView(
                state="ON_HOLD",
                queue_id="sales",
                priority=5,
                enqueued_at_ms=2_000,
                offer_id="ada.1",
                agent_id="grace",
            ),
        ),
    ],
)
def test_a_contact_is_shown_with_what_is_known_of_it(
    story: "Story", phase: str, shown: ContactView
) -> None:
    getattr(story, phase)()
    shown.MergeFrom(
        ContactView(
            contact_id="ada",
            conversation_id="ada",
            channel=CHANNEL_VOICE,
            initiated_at_ms=1_000,
        )
    )
    assert contact_view(story.contact()) == shown
