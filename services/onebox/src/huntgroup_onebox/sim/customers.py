"""What a customer, or whoever speaks for them, asks of session: come in, look, hang up, and be called back."""

import asyncio
from typing import Final

from google.protobuf.message import Message

from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import (
    CALLBACK_MODE_AGENT_FIRST,
    CALLBACK_MODE_CUSTOMER_FIRST,
    CHANNEL_CHAT,
    CHANNEL_VOICE,
    DIAL_OUTCOME_ANSWERED,
    DIAL_OUTCOME_BUSY,
    DIAL_OUTCOME_FAILED,
    DIAL_OUTCOME_NO_ANSWER,
)
from huntgroup_onebox.sim.books import ViolationError
from huntgroup_onebox.sim.client import Client, Mark
from huntgroup_onebox.sim.plan import happens
from huntgroup_runtime.rpc.errors import RpcRefusedError

SESSION: Final = "/huntgroup.session.v1.SessionService/"
TO_BE_CALLED: Final = {"QUEUED", "OFFERING", "SCHEDULED", "DIALING"}
THERE: Final = 0.5
"""So often a customer who is called back picks up."""
IN_VAIN: Final = (DIAL_OUTCOME_BUSY, DIAL_OUTCOME_NO_ANSWER, DIAL_OUTCOME_FAILED)
SELDOM: Final = 0.15
"""So often a call is for later, or in a window, or for the number of others, and a dial of which nobody tells."""
RARELY: Final = 0.02
"""So often, whenever somebody looks, the customer needs no call any more."""
LATER_MS: Final = 3_000
WINDOW_MS: Final = 20 * 86_400_000
"""Longer than any clock of a story jumps: a window that is over is refused as a bad request."""
ONE_NUMBER: Final = "a-number-of-many"


async def start(
    client: Client, contact_id: str, *, chats: bool = False, twice: bool = False
) -> None:
    """Come in."""
    channel = CHANNEL_CHAT if chats else CHANNEL_VOICE
    request = session_pb.StartContactRequest(contact_id=contact_id, channel=channel)
    await client.command(
        "session", f"{SESSION}StartContact", request, session_pb.StartContactResponse, twice=twice
    )


async def hang_up(client: Client, contact_id: str) -> None:
    """Hang up."""
    request = session_pb.HangUpContactRequest(contact_id=contact_id)
    await client.command(
        "session", f"{SESSION}HangUpContact", request, session_pb.HangUpContactResponse
    )


async def state_of(client: Client, contact_id: str) -> str:
    """Return the state of a contact."""
    return str((await view_of(client, contact_id)).state)


async def view_of(client: Client, contact_id: str) -> session_pb.ContactView:
    """Whoever was told that a contact is started can read it, at any replica."""
    read = session_pb.GetContactRequest(domain=client.domain, contact_id=contact_id)
    states, asked = client.books.states[contact_id], Mark()
    found = await client.query(
        "session",
        f"{SESSION}GetContact",
        read,
        session_pb.GetContactResponse,
        asking=lambda: asked.at(max(0, len(states) - 1)),
    )
    if isinstance(found, RpcRefusedError):
        raise ViolationError(f"4: {contact_id} was started, and a read says {found}")
    view: session_pb.ContactView = found.contact
    if view.state not in states[asked.number :]:
        became = ", ".join(states[asked.number :])
        raise ViolationError(f"4: {contact_id} was already {became}, and a read says {view.state}")
    return view


async def be_called_back(
    client: Client, contact_id: str, queue_id: str, closing: asyncio.Event, *, twice: bool
) -> bool:
    """Ask for a call and hang up; be busy now and then, until `closing` is set. False: it was refused,
    or a queue let the contact go when its customer had answered.

    Whoever dials may say nothing of a dial. What is planned for later is called off at the end, so that it comes soon.
    """
    chance, view = client.chance, await view_of(client, contact_id)
    request = session_pb.RequestCallbackRequest(
        contact_id=contact_id,
        number=ONE_NUMBER if happens(chance, SELDOM) else contact_id,
        queue_id=queue_id,
        not_before_ms=view.initiated_at_ms + LATER_MS if happens(chance, SELDOM) else 0,
        not_after_ms=view.initiated_at_ms + WINDOW_MS if happens(chance, SELDOM) else 0,
        mode=chance.choice((CALLBACK_MODE_AGENT_FIRST, CALLBACK_MODE_CUSTOMER_FIRST)),
    )
    if await _ask(client, "RequestCallback", request, twice=twice):
        return False
    await hang_up(client, contact_id)
    silent_dial = 0
    while (view := await view_of(client, contact_id)).state in TO_BE_CALLED:
        if view.state == "DIALING" and not closing.is_set() and happens(chance, SELDOM):
            silent_dial = view.callback.dials
        told = view.callback.dials != silent_dial
        planned = view.state == "SCHEDULED" or not told
        if (planned and closing.is_set()) or happens(chance, RARELY):
            cancel = session_pb.CancelCallbackRequest(contact_id=contact_id)
            await _ask(client, "CancelCallback", cancel, twice=twice)
        elif view.state == "DIALING" and told:
            there = closing.is_set() or happens(chance, THERE)
            report = session_pb.ReportDialOutcomeRequest(
                contact_id=contact_id,
                dial=view.callback.dials,
                outcome=DIAL_OUTCOME_ANSWERED if there else chance.choice(IN_VAIN),
            )
            await _ask(client, "ReportDialOutcome", report, twice=twice)
        await asyncio.sleep(chance.uniform(0.2, 0.8))
    return view.state != "INITIATED"


async def _ask(
    client: Client, method: str, request: Message, *, twice: bool
) -> RpcRefusedError | None:
    response = getattr(session_pb, f"{method}Response")
    return await client.command("session", f"{SESSION}{method}", request, response, twice=twice)
