"""The core's words and the wire's are the same words."""

from functools import cache
from typing import get_args

from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from huntgroup.routing.v1.commands_pb2 import WaitEstimate
from huntgroup_routing.adapters.mapping import STATUSES, estimate_view, event_codec
from huntgroup_routing.core.hours import Holiday, WeeklyHours
from huntgroup_routing.core.messages import ChannelCapacity, Event, Reason
from huntgroup_routing.core.overflow import Overflow, OverflowRule
from huntgroup_routing.core.pace import Estimate
from huntgroup_routing.core.values import (
    DeclaredSkill,
    Explanation,
    RoutingStep,
    ServingGroup,
    SkillLevel,
)

codec = cache(event_codec)
SMALL = st.integers(-(2**31), 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)
SMALL_FIELDS = (
    *("priority", "attempt", "idle_agents", "waiting_max", "slots", "level"),
    *("policy_version", "runner_up_priority", "set_aside", "step", "skipped"),
    *("ring_max", "ring_target", "others_ringing"),
    *("domain_version", "version", "rolled_back_to", "queues_configured", "queues_retired"),
    "highest_level",
    *("delays_over", "rank", "runner_up_rank", "weight"),
    *("stay", "attempts", "weekday", "opens_minute", "closes_minute"),
    *("cost", "capacity_units", "callback_attempts", "callbacks_max", "callback_dial_ahead"),
    *("contacts", "kept_for_others"),
)


def numbers_of(kind: type) -> dict[str, st.SearchStrategy[int]]:
    names: dict[str, type] = kind.__annotations__
    return {
        name: SMALL if name in SMALL_FIELDS else LONG for name, hint in names.items() if hint is int
    }


def said(kind: type) -> st.SearchStrategy[Event]:
    return st.builds(kind, **numbers_of(kind))


for part in (
    *(ChannelCapacity, SkillLevel, Explanation, RoutingStep, DeclaredSkill),
    *(Overflow, OverflowRule, WeeklyHours, Holiday, ServingGroup),
):
    st.register_type_strategy(part, st.builds(part, **numbers_of(part)))


@given(st.one_of(*(said(kind) for kind in get_args(Event))))
def test_every_event_is_read_as_it_was_written(event: Event) -> None:
    assert codec().decode(*codec().encode(event)) == event


def test_every_reason_has_a_status_of_its_own_choice() -> None:
    assert set(STATUSES) == set(Reason)
    assert StatusCode.OK not in STATUSES.values()


def test_an_estimate_is_shown_with_its_limits_and_is_absent_while_nothing_is_known() -> None:
    shown = estimate_view(Estimate(wait_ms=60_000, low_ms=20_000, high_ms=110_000))
    assert shown == WaitEstimate(wait_ms=60_000, low_ms=20_000, high_ms=110_000)
    assert estimate_view(None) is None
