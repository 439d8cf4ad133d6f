"""Whatever the core is told in whatever order, its promises hold."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any, get_args, get_type_hints

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from huntgroup_session.core import SessionCore
from huntgroup_session.core.callbacks import LET_GO_MS
from huntgroup_session.core.deadlines import WRAP_UP_GUARD_MS
from huntgroup_session.core.messages import (
    AgentJoined,
    AgentLeft,
    CallbackDialRequested,
    CallbackRequested,
    CallbackScheduled,
    CancelCallback,
    Command,
    ContactConnectionFailed,
    ContactQueued,
    ContactReprioritized,
    ContactResumed,
    Event,
    HangUpContact,
    ObserveContactOverflowed,
    ObserveQueueConfigured,
    PassTime,
    QueueContact,
    QueueForgotten,
    QueueLearned,
    Refused,
    StartContact,
)
from huntgroup_session.core.state import HOLDS_PLACE, WAITS, Dialing, Scheduled, State, Wrapping
from huntgroup_session.core.values import (
    AgentId,
    Attribute,
    CallbackMode,
    Channel,
    ContactId,
    ConversationId,
    DialOutcome,
    DiversionAction,
    InitiationMethod,
    OfferId,
    OverflowTrigger,
    QueueId,
    ReturnReason,
)

# Few values, so that commands meet; the types of the fields say which to take.
VALUES: dict[Any, Sequence[Any]] = {
    ContactId: ("ada", "ben"),
    ConversationId: ("",),
    QueueId: ("sales",),
    AgentId: ("grace", "alan"),
    OfferId: ("1", "2"),
    Channel: (Channel.VOICE,),
    Channel | None: (None, Channel.CHAT),
    InitiationMethod: (InitiationMethod.INBOUND,),
    ReturnReason: (ReturnReason.REJECTED,),
    OverflowTrigger: (OverflowTrigger.CLOSED, OverflowTrigger.WAITED),
    DialOutcome: (DialOutcome.ANSWERED, DialOutcome.BUSY),
    DiversionAction | None: (None, DiversionAction.VOICEMAIL),
    CallbackMode | None: (None, CallbackMode.CUSTOMER_FIRST),
    int: (1, 3),
    str: ("some", "other"),
    tuple[str, ...]: ((), ("german",)),
    tuple[Attribute, ...]: ((),),
    tuple[AgentId, ...]: ((),),
}


TIMES: dict[str, Sequence[int]] = {
    "not_before_ms": (0, 1_100_000),
    "not_after_ms": (0, 9_000_000),
    "callback_retry_ms": (1_000, 30_000),
    "callback_attempts": (3, 0),
    "opens_at_ms": (0, 2_000_000),
    "callbacks_max": (2, 1),
    "callback_dial_ms": (0,),
    "stay": (0, 1, 3),
}


def told(kind: type) -> list[Command]:
    """Return a command of this kind with every combination of values."""
    fields = get_type_hints(kind)
    combinations = product(*(TIMES.get(name, VALUES[hint]) for name, hint in fields.items()))
    return [kind(**dict(zip(fields, values, strict=True))) for values in combinations]


# The first is the simplest: what a failure does not need becomes PassTime, which stands last among the commands.
COMMANDS = [command for kind in reversed(get_args(Command)) for command in told(kind)]
PAUSES_MS = [1, 500, 30_000, 1, 500, 30_000, 1, 500, 30_000, 0, WRAP_UP_GUARD_MS]
Step = tuple[int, Command]
STORIES = st.lists(
    st.tuples(st.sampled_from(PAUSES_MS), st.sampled_from(COMMANDS)), min_size=30, max_size=80
)
PHASES = set(Phase) - {Phase.explain}  # explaining long stories takes longer than finding them

STAY = "Queued ((Offered )+ReturnedToQueue |(Offered )*Moved )*(Offered )*"
DIAL = "(CallbackDialRequested (CallbackDialFailed )?)?"
LIFE = re.compile(
    f"Initiated (CallbackScheduled |{STAY}(HandedBack |{DIAL}CallbackScheduled |"
    "CallbackDialRequested CallbackAnswered ))*"
    f"(Abandoned |CallbackEnded |{STAY}(Abandoned |Diverted |{DIAL}CallbackEnded |"
    "(CallbackDialRequested )?Connected (Held Retrieved )*(Held )?Disconnected Completed ))"
)
"""Every contact that has ended has lived so."""


class World:
    """A domain that checks itself at every step; in the beginning everybody waits."""

    def __init__(self) -> None:
        self.core = SessionCore()
        self.state = self.core.initial("acme/emea")
        self.events: list[Event] = []
        self.now_ms = 1_000_000
        for kind in (ObserveQueueConfigured, StartContact, QueueContact):
            for command in reversed(told(kind)):
                self.tell(command)

    def tell(self, command: Command) -> None:
        before = self.core.dump(self.state)
        decision = self.core.decide(self.state, command, self.now_ms)
        assert self.core.dump(self.state) == before
        if isinstance(decision, Refused):
            kind = type(command).__name__
            assert not kind.startswith("Observe"), f"a fact was refused: {decision}"
            assert decision.detail
            return
        for event in decision:
            assert event.at_ms == self.now_ms
            if isinstance(event, CallbackScheduled) and isinstance(
                command, ObserveContactOverflowed
            ):
                pause_ms = event.resume_at_ms - self.now_ms
                held = command.trigger is not OverflowTrigger.WAITED
                assert pause_ms >= LET_GO_MS * held, "a rule that holds for hours lets it go again"
            if isinstance(event, CallbackDialRequested):
                assert event.agent_id not in self.state.gone, "nobody would be there"
            if isinstance(event, ContactQueued):
                queue, contact = (
                    self.state.queues[event.queue_id],
                    self.state.live[event.contact_id],
                )
                assert isinstance(contact.phase, Scheduled) or queue.waiting < queue.waiting_max
            self.state = self.core.evolve(self.state, event)
            self.check_indexes()
        self.events += decision
        assert not self.state.dialing.keys() & self.state.gone.keys()

    def check_indexes(self) -> None:
        waiting = dict.fromkeys(self.state.queues, 0)
        callbacks = waiting.copy()
        for contact in self.state.live.values():
            if isinstance(contact.phase, WAITS):
                waiting[contact.place.queue_id] += 1
            callback = contact.callback
            if isinstance(contact.phase, HOLDS_PLACE) and callback and not callback.reached:
                callbacks[contact.place.queue_id] += 1
        assert {name: queue.waiting for name, queue in self.state.queues.items()} == waiting
        assert {name: queue.callbacks for name, queue in self.state.queues.items()} == callbacks
        wrapping = {
            contact_id
            for contact_id, contact in self.state.live.items()
            if isinstance(contact.phase, Wrapping)
        }
        assert set(self.state.wrapping) == wrapping
        dues = [
            (contact.callback_due_ms, contact.contact_id)
            for contact in self.state.live.values()
            if contact.callback_due_ms is not None
        ]
        assert list(self.state.callbacks_due) == sorted(dues)
        assert sorted(self.state.called_back.values()) == sorted(one for _, one in dues)
        dialing = defaultdict[AgentId, set[ContactId]](set)
        for contact in self.state.live.values():
            if isinstance(contact.phase, Dialing) and contact.offer.agent_id:
                dialing[contact.offer.agent_id].add(contact.contact_id)
        assert self.state.dialing == dialing
        due_ms = [*self.state.wrapping.values(), *(due for due, _ in dues)]
        assert self.core.next_deadline(self.state) == min(due_ms, default=None)

    def end(self) -> None:
        """All customers hang up, and time does the rest."""
        for contact_id in tuple(self.state.live):
            self.tell(CancelCallback(contact_id=contact_id))
        for contact_id in tuple(self.state.live):
            self.tell(HangUpContact(contact_id=contact_id))
        self.now_ms += WRAP_UP_GUARD_MS
        self.tell(PassTime())


@settings(max_examples=150, phases=PHASES, deadline=None)
@given(STORIES)
def test_every_step_of_every_story_keeps_the_promises(story: list[Step]) -> None:
    world = World()
    for pause_ms, command in story:
        world.now_ms += pause_ms
        world.tell(command)
    assert folded(world.core, world.events) == world.core.dump(world.state)
    assert rewritten(world.core, world.state) == world.core.dump(world.state)
    world.end()
    assert not world.state.live
    for life in lives(world.events).values():
        assert LIFE.fullmatch(life), life


def folded(core: SessionCore, events: list[Event]) -> bytes:
    state = core.initial("acme/emea")
    for event in events:
        state = core.evolve(state, event)
    return core.dump(state)


def rewritten(core: SessionCore, state: State) -> bytes:
    return core.dump(core.load(state.domain, core.dump(state)))


NO_PHASE = (
    AgentLeft,
    AgentJoined,
    QueueLearned,
    QueueForgotten,
    ContactConnectionFailed,
    ContactReprioritized,
    ContactResumed,
    CallbackRequested,
)


def lives(events: list[Event]) -> dict[ContactId, str]:
    written: dict[ContactId, str] = defaultdict(str)
    for event in events:
        if not isinstance(event, NO_PHASE):
            written[event.contact_id] += type(event).__name__.removeprefix("Contact") + " "
    return written


@settings(max_examples=60, phases=PHASES, deadline=None)
@given(STORIES, STORIES)
def test_a_state_read_from_a_dump_decides_as_the_one_that_wrote_it(
    before: list[Step], after: list[Step]
) -> None:
    world = World()
    for pause_ms, command in before:
        world.now_ms += pause_ms
        world.tell(command)
    again = World()
    again.now_ms = world.now_ms
    again.state = world.core.load("acme/emea", world.core.dump(world.state))
    world.events, again.events = [], []
    for pause_ms, command in after:
        for one in (world, again):
            one.now_ms += pause_ms
            one.tell(command)
    assert world.events == again.events
    assert world.core.dump(world.state) == again.core.dump(again.state)
