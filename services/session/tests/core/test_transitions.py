"""What every command and every fact does in every phase of a contact's life: the state machine as tables.

"-" means that nothing happens, capitals are the reason of a refusal, and the rest is the event without its `Contact`.
The columns are the commands below; those of another agent and of another offer stand for all that does not belong.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from huntgroup_session.core.messages import (
    CancelCallback,
    Command,
    CompleteContact,
    EndContact,
    HangUpContact,
    HoldContact,
    ObserveAgentSignedOff,
    ObserveAgentSignedOn,
    ObserveContactMoved,
    ObserveContactOverflowed,
    ObserveContactReprioritized,
    ObserveContactResumed,
    ObserveOfferAccepted,
    ObserveOfferCreated,
    ObserveOfferFailed,
    ObserveWrapUpFinished,
    QueueContact,
    Refused,
    ReportDialOutcome,
    RequestCallback,
    RetrieveContact,
)
from huntgroup_session.core.values import (
    AgentId,
    ContactId,
    DialOutcome,
    DiversionAction,
    OfferId,
    OverflowTrigger,
    QueueId,
    ReturnReason,
)

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

ADA, GRACE, ALAN, SALES = ContactId("ada"), AgentId("grace"), AgentId("alan"), QueueId("sales")
FIRST, SECOND = OfferId("ada.1"), OfferId("ada.2")
GERMAN, NO = ("german",), ReturnReason.REJECTED

WAITED = OverflowTrigger.WAITED
VOICEMAIL = ObserveContactOverflowed(
    contact_id=ADA,
    trigger=WAITED,
    key="",
    action=DiversionAction.VOICEMAIL,
    endpoint="box-7",
    attempts=1,
)
CALL_BACK = RequestCallback(
    contact_id=ADA,
    number="+41440000000",
    not_before_ms=0,
    not_after_ms=0,
    queue_id=SALES,
    priority=5,
    required_skills=GERMAN,
)
DIALED = ReportDialOutcome(contact_id=ADA, dial=1, outcome=DialOutcome.BUSY)
COMMANDS: dict[str, Command] = {
    "call_back": CALL_BACK,
    "elsewhere": replace(CALL_BACK, number="+41441111111"),
    "cancel": CancelCallback(contact_id=ADA),
    "busy": DIALED,
    "answered": replace(DIALED, outcome=DialOutcome.ANSWERED),
    "other_busy": replace(DIALED, dial=2),
    "queue": QueueContact(contact_id=ADA, queue_id=SALES, priority=5, required_skills=GERMAN),
    "move": QueueContact(contact_id=ADA, queue_id=SALES, priority=6, required_skills=GERMAN),
    "hang_up": HangUpContact(contact_id=ADA),
    "complete": CompleteContact(contact_id=ADA),
    "end": EndContact(contact_id=ADA, agent_id=GRACE),
    "hold": HoldContact(contact_id=ADA, agent_id=GRACE),
    "retrieve": RetrieveContact(contact_id=ADA, agent_id=GRACE),
    "other_ends": EndContact(contact_id=ADA, agent_id=ALAN),
    "other_holds": HoldContact(contact_id=ADA, agent_id=ALAN),
    "other_retrieves": RetrieveContact(contact_id=ADA, agent_id=ALAN),
    "created": ObserveOfferCreated(contact_id=ADA, offer_id=FIRST, agent_id=GRACE),
    "accepted": ObserveOfferAccepted(contact_id=ADA, offer_id=FIRST, agent_id=GRACE),
    "failed": ObserveOfferFailed(contact_id=ADA, offer_id=FIRST, reason=NO),
    "wrapped_up": ObserveWrapUpFinished(contact_id=ADA, offer_id=FIRST, wrap_up_ms=1),
    "moved": ObserveContactMoved(
        contact_id=ADA, queue_id=SALES, priority=5, enqueued_at_ms=2_000, stay=1, trigger=WAITED
    ),
    "raised": ObserveContactReprioritized(contact_id=ADA, priority=7),
    "resumed": ObserveContactResumed(
        contact_id=ADA, resumes=ContactId("ada-before"), stay=0, enqueued_at_ms=1
    ),
    "signed_off": ObserveAgentSignedOff(agent_id=GRACE),
    "signed_on": ObserveAgentSignedOn(agent_id=GRACE),
    "handed_back": replace(VOICEMAIL, action=None),
    "diverted": VOICEMAIL,
    "other_created": ObserveOfferCreated(contact_id=ADA, offer_id=SECOND, agent_id=ALAN),
    "other_accepted": ObserveOfferAccepted(contact_id=ADA, offer_id=SECOND, agent_id=ALAN),
    "other_failed": ObserveOfferFailed(contact_id=ADA, offer_id=SECOND, reason=NO),
    "other_wrapped_up": ObserveWrapUpFinished(contact_id=ADA, offer_id=SECOND, wrap_up_ms=1),
}

OF_THE_CUSTOMER = """
            queue            move             hang_up          complete
unknown     CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN
initiated   QUEUE_UNKNOWN    QUEUE_UNKNOWN    Abandoned        WRONG_STATE
queued      -                WRONG_STATE      Abandoned        WRONG_STATE
offering    -                WRONG_STATE      Abandoned        WRONG_STATE
connected   WRONG_STATE      WRONG_STATE      Disconnected     WRONG_STATE
on_hold     WRONG_STATE      WRONG_STATE      Disconnected     WRONG_STATE
wrapping    WRONG_STATE      WRONG_STATE      -                Completed
completed   WRONG_STATE      WRONG_STATE      -                -
abandoned   WRONG_STATE      WRONG_STATE      -                -
diverted    WRONG_STATE      WRONG_STATE      -                -
scheduled   WRONG_STATE      WRONG_STATE      -                WRONG_STATE
dialing     WRONG_STATE      WRONG_STATE      -                WRONG_STATE
lapsed      WRONG_STATE      WRONG_STATE      -                -
"""

OF_THE_AGENT = """
            end              hold             retrieve         other_ends       other_holds      other_retrieves
unknown     CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN
initiated   WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
queued      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
offering    WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
connected   Disconnected     Held             -                WRONG_AGENT      WRONG_AGENT      WRONG_AGENT
on_hold     Disconnected     -                Retrieved        WRONG_AGENT      WRONG_AGENT      WRONG_AGENT
wrapping    -                WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
completed   -                WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
abandoned   WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
diverted    WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
scheduled   WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
dialing     WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
lapsed      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE      WRONG_STATE
"""

OF_OTHER_SERVICES = """
            created  accepted          failed           wrapped_up  other_created  other_accepted    other_failed
unknown     -        ConnectionFailed  -                -           -              ConnectionFailed  -
initiated   -        ConnectionFailed  -                -           -              ConnectionFailed  -
queued      Offered  Connected         -                -           Offered        Connected         -
offering    -        Connected         ReturnedToQueue  -           Offered        Connected         ReturnedToQueue
connected   -        -                 -                -           -              ConnectionFailed  -
on_hold     -        -                 -                -           -              ConnectionFailed  -
wrapping    -        -                 -                Completed   -              ConnectionFailed  -
completed   -        -                 -                -           -              ConnectionFailed  -
abandoned   -        ConnectionFailed  -                -           -              ConnectionFailed  -
diverted    -        ConnectionFailed  -                -           -              ConnectionFailed  -
scheduled   -        ConnectionFailed  -                -           -              ConnectionFailed  -
dialing     -        -                 -                -           -              ConnectionFailed  -
lapsed      -        ConnectionFailed  -                -           -              ConnectionFailed  -
"""

OF_QUEUES = """
            moved    raised         handed_back  diverted  resumed
unknown     -        -              -            -         -
initiated   -        -              -            -         -
queued      Moved    Reprioritized  HandedBack   Diverted  Resumed
offering    Moved    Reprioritized  HandedBack   Diverted  Resumed
connected   -        -              -            -         -
on_hold     -        -              -            -         -
wrapping    -        -              -            -         -
completed   -        -              -            -         -
abandoned   -        -              -            -         -
diverted    -        -              -            -         -
scheduled   -        Reprioritized  -            -         Resumed
dialing     -        -              -            -         Resumed
lapsed      -        -              -            -         -
"""

OF_CALLBACKS = """
            call_back          elsewhere          cancel
unknown     CONTACT_UNKNOWN    CONTACT_UNKNOWN    CONTACT_UNKNOWN
initiated   QUEUE_UNKNOWN      QUEUE_UNKNOWN      WRONG_STATE
queued      CallbackRequested  CallbackRequested  WRONG_STATE
offering    CallbackRequested  CallbackRequested  WRONG_STATE
connected   WRONG_STATE        WRONG_STATE        WRONG_STATE
on_hold     WRONG_STATE        WRONG_STATE        WRONG_STATE
wrapping    WRONG_STATE        WRONG_STATE        WRONG_STATE
completed   WRONG_STATE        WRONG_STATE        WRONG_STATE
abandoned   WRONG_STATE        WRONG_STATE        WRONG_STATE
diverted    WRONG_STATE        WRONG_STATE        WRONG_STATE
scheduled   -                  WRONG_STATE        CallbackEnded
dialing     -                  WRONG_STATE        ConnectionFailed+CallbackEnded
lapsed      WRONG_STATE        WRONG_STATE        -
"""

OF_DIALS = """
            busy             answered         other_busy
unknown     CONTACT_UNKNOWN  CONTACT_UNKNOWN  CONTACT_UNKNOWN
initiated   WRONG_STATE      WRONG_STATE      WRONG_STATE
queued      WRONG_STATE      WRONG_STATE      WRONG_STATE
connected   WRONG_STATE      WRONG_STATE      WRONG_STATE
completed   WRONG_STATE      WRONG_STATE      WRONG_STATE
scheduled   -                WRONG_STATE      WRONG_STATE
dialing     CallbackDialFailed+ConnectionFailed+CallbackScheduled  Connected  WRONG_STATE
lapsed      -                WRONG_STATE      WRONG_STATE
"""

OF_CALLBACKS_THAT_WAIT = """
                   hang_up  queue  move         call_back  elsewhere    cancel         busy
callback_queued    -        -      WRONG_STATE  -          WRONG_STATE  CallbackEnded  WRONG_STATE
callback_offering  -        -      WRONG_STATE  -          WRONG_STATE  CallbackEnded  WRONG_STATE
"""

OF_OTHERS_AND_CALLBACKS_THAT_WAIT = """
                   created  accepted               failed           other_accepted         other_failed
callback_queued    Offered  CallbackDialRequested  -                CallbackDialRequested  -
callback_offering  -        CallbackDialRequested  ReturnedToQueue  CallbackDialRequested  ReturnedToQueue
"""

OF_QUEUES_AND_CALLBACKS_THAT_WAIT = """
                   moved  raised         handed_back        diverted           resumed
callback_queued    Moved  Reprioritized  CallbackScheduled  CallbackScheduled  Resumed
callback_offering  Moved  Reprioritized  CallbackScheduled  CallbackScheduled  Resumed
"""

OF_AGENTS_THAT_LEAVE = """
                   signed_off                                    signed_on
unknown            AgentLeft                                     -
queued             AgentLeft                                     -
offering           AgentLeft                                     -
connected          AgentLeft                                     -
wrapping           AgentLeft                                     -
callback_queued    AgentLeft                                     -
callback_offering  AgentLeft                                     -
scheduled          AgentLeft                                     -
dialing            AgentLeft+ConnectionFailed+CallbackScheduled  -
lapsed             AgentLeft                                     -
"""


def cells() -> Iterator[tuple[str, str, str]]:
    """Yield phase, command and what is expected of every cell of the tables."""
    tables = (
        *(OF_THE_CUSTOMER, OF_THE_AGENT, OF_OTHER_SERVICES, OF_QUEUES, OF_CALLBACKS, OF_DIALS),
        *(OF_CALLBACKS_THAT_WAIT, OF_OTHERS_AND_CALLBACKS_THAT_WAIT),
        *(OF_QUEUES_AND_CALLBACKS_THAT_WAIT, OF_AGENTS_THAT_LEAVE),
    )
    for table in tables:
        head, *rows = table.strip("\n").splitlines()
        for phase, *expected in map(str.split, rows):
            for command, outcome in zip(head.split(), expected, strict=True):
                yield phase, command, outcome


@pytest.mark.parametrize(("phase", "command", "expected"), list(cells()))
def test_a_command_does_in_each_phase_what_the_table_says(
    story: "Story", phase: str, command: str, expected: str
) -> None:
    if phase != "unknown":
        getattr(story, phase)()
        assert story.contact().state == phase.removeprefix("callback_").upper()
    outcome = story.when(COMMANDS[command], 80_000)
    if isinstance(outcome, Refused):
        assert outcome.reason == expected
    elif expected == "-":
        assert outcome == ()
    else:
        names = [type(event).__name__.removeprefix("Contact") for event in outcome]
        assert names == expected.split("+")


def test_a_wrap_up_of_another_offer_completes_nothing(story: "Story") -> None:
    assert story.wrapping().when(COMMANDS["other_wrapped_up"], 80_000) == ()
