"""A burst of facts in few, full records is taken in without harm."""

import asyncio
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from huntgroup.agent_state.v1 import events_pb2 as agent_state

if TYPE_CHECKING:
    from services.reporting.tests.adapters.conftest import House

AGENTS = 1_000
LONG = "x" * 27


async def test_a_thousand_calls_at_once_are_taken_in(house: "House") -> None:
    nine_ms = house.NINE_MS
    await asyncio.gather(
        *(
            house.say(fact)
            for number in range(AGENTS)
            for fact in life_of(f"agent-{LONG}-{number}", f"contact-{LONG}-{number}", nine_ms)
        )
    )
    report = await house.report(0, 3_600_000)
    assert report.agents_total.talking_ms == AGENTS * 3_000
    assert report.agents_total.wrapping_up_ms == AGENTS * 4_000


def life_of(agent_id: str, contact_id: str, nine_ms: int) -> list[Message]:
    slot: dict[str, Any] = {
        "agent_id": agent_id,
        "offer_id": f"{contact_id}.1",
        "contact_id": contact_id,
    }
    return [
        agent_state.AgentSignedOn(at_ms=nine_ms, agent_id=agent_id),
        agent_state.AgentWentReady(at_ms=nine_ms + 1_000, agent_id=agent_id),
        agent_state.AgentReserved(at_ms=nine_ms + 3_000, queue_id="sales", **slot),
        agent_state.AgentBecameBusy(at_ms=nine_ms + 5_000, **slot),
        agent_state.AgentStartedWrapUp(at_ms=nine_ms + 8_000, **slot),
        agent_state.AgentFinishedWrapUp(at_ms=nine_ms + 12_000, wrap_up_ms=4_000, **slot),
        agent_state.AgentReleased(at_ms=nine_ms + 12_000, **slot),
    ]
