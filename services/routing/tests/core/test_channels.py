"""A queue for a channel takes contacts of that channel alone, whichever way they come; one without takes any."""

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from huntgroup_routing.core.messages import (
    ApplyPolicy,
    ConfigureQueue,
    ContactDequeued,
    ContactEnqueued,
    ContactKept,
    ExitQueue,
    MoveContact,
    ObserveContactQueued,
    PassTime,
    QueueConfigured,
    Reason,
    RollBackPolicy,
)
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.policy import sound_rules
from huntgroup_routing.core.values import Channel, ContactId, DequeueReason, QueueId

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA, CHATS, SALES = ContactId("ada"), QueueId("chats"), QueueId("sales")
VOICE, CHAT = Channel.VOICE, Channel.CHAT


def to_chats(trigger: str, limit: int = 0, key: str = "") -> OverflowRule:
    return OverflowRule(
        trigger=OverflowTrigger(trigger),
        limit=limit,
        key=key,
        action=OverflowAction.QUEUE,
        queue_id=CHATS,
    )


def comes(queue_id: QueueId, channel: Channel, *, returns: bool = False) -> ObserveContactQueued:
    return ObserveContactQueued(
        contact_id=ADA,
        queue_id=queue_id,
        channel=channel,
        priority=0,
        required_skills=(),
        enqueued_at_ms=0,
        returns=returns,
    )


def fold_older(floor: "Floor", command: ConfigureQueue) -> None:
    """Let a queue be as a journal tells that is older than the rule: its channel kept nobody out."""
    floor.fold(replace(sound_rules(command, 0, {}), one_channel=False))


@pytest.fixture
def mixed(floor: "Floor") -> "Floor":
    """A queue for chats beside `anything`, which takes any channel, and `sales`; Grace takes calls and chats."""
    floor.queue("chats", channel=CHAT)
    floor.queue("anything", channel=None)
    floor.agent("grace", voice=1, chat=1)
    return floor


def test_a_contact_of_another_channel_is_handed_back_and_may_be_queued_where_it_is_taken(
    mixed: "Floor",
) -> None:
    enqueued, dequeued = mixed.tell(comes(CHATS, VOICE), 5)
    assert isinstance(enqueued, ContactEnqueued)
    assert isinstance(dequeued, ContactDequeued)
    assert (dequeued.queue_id, dequeued.reason) == ("chats", DequeueReason.OVERFLOWED)
    assert dequeued.overflow is not None
    why = (dequeued.overflow.trigger, dequeued.overflow.action)
    assert why == (OverflowTrigger.WRONG_CHANNEL, OverflowAction.HAND_BACK)
    assert ADA not in mixed.state.contacts
    again = mixed.tell(replace(comes(SALES, VOICE), stay=1), 6)
    assert mixed.offered(again) == [("ada", "grace")]


def test_a_queue_without_a_channel_takes_contacts_of_all(mixed: "Floor") -> None:
    for channel in (VOICE, CHAT):
        events = mixed.contact(f"a-{channel}", queue_id="anything", channel=channel)
        assert mixed.offered(events) == [(f"a-{channel}", "grace")]


def test_a_callback_that_comes_back_is_taken_although_the_channel_of_its_queue_has_changed(
    mixed: "Floor",
) -> None:
    assert mixed.offered(mixed.tell(comes(CHATS, VOICE, returns=True))) == [("ada", "grace")]


def test_those_who_wait_stay_when_their_queue_takes_another_channel_alone(floor: "Floor") -> None:
    floor.contact("ada")
    floor.queue("sales", channel=CHAT)
    assert floor.offered(floor.agent("grace", voice=1)) == [("ada", "grace")]


def test_nobody_is_moved_to_a_queue_for_another_channel(mixed: "Floor") -> None:
    mixed.contact("x1")
    mixed.contact("ada")
    refused = mixed.refused(MoveContact(contact_id=ADA, queue_id=CHATS))
    assert refused.reason is Reason.WRONG_CHANNEL
    assert refused.detail == "queue_id 'chats', which takes CHAT alone: the contact is VOICE"
    assert mixed.tell(MoveContact(contact_id=ADA, queue_id=QueueId("anything")))


def test_no_key_leads_to_a_queue_for_another_channel(mixed: "Floor") -> None:
    mixed.queue("anything", channel=None, overflow=(to_chats("EXIT_KEY", key="1"),))
    mixed.contact("x1")
    mixed.contact("ada", queue_id="anything")
    refused = mixed.refused(ExitQueue(contact_id=ADA, key="1"))
    assert refused.reason is Reason.WRONG_CHANNEL
    assert refused.detail == (
        "key '1' leads to queue_id 'chats', which takes CHAT alone: the contact is VOICE"
    )


def test_a_rule_that_leads_to_a_queue_for_another_channel_is_passed_over(mixed: "Floor") -> None:
    onward = OverflowRule(
        trigger=OverflowTrigger.LONGEST_WAIT, limit=1, action=OverflowAction.DISCONNECT
    )
    mixed.queue("anything", channel=None, overflow=(to_chats("QUEUE_LENGTH", 1), onward))
    mixed.contact("x1", queue_id="anything")
    mixed.contact("x2", queue_id="anything")
    _, gone = mixed.contact("ada", queue_id="anything", at_ms=9)
    assert isinstance(gone, ContactDequeued)
    assert gone.overflow is not None
    assert gone.overflow.trigger is OverflowTrigger.LONGEST_WAIT
    moved = mixed.contact("ben", queue_id="anything", channel=CHAT, at_ms=9)
    assert mixed.offered(moved) == [("ben", "grace")]
    assert mixed.state.contacts[ContactId("ben")].queue_id == "chats"


def test_who_has_waited_enough_waits_on_where_the_rule_leads_to_another_channel(
    mixed: "Floor",
) -> None:
    mixed.queue("anything", channel=None, overflow=(to_chats("WAITED", 1_000),))
    mixed.contact("x1")
    mixed.contact("ada", queue_id="anything")
    (kept,) = mixed.tell(PassTime(), 1_000)
    assert isinstance(kept, ContactKept)


def test_a_rule_from_one_channel_to_another_is_refused_in_either_order(floor: "Floor") -> None:
    floor.queue("chats", channel=CHAT)
    refused = floor.refused(floor.queue_command("sales", overflow=(to_chats("WAITED", 1),)))
    assert refused.reason is Reason.OVERFLOW_INVALID
    assert refused.detail == ("overflow[0].queue_id 'chats' takes CHAT alone, and this queue VOICE")
    floor.queue("chats", channel=None)
    floor.queue("sales", overflow=(to_chats("WAITED", 1),))
    refused = floor.refused(floor.queue_command("chats", channel=CHAT))
    assert refused.reason is Reason.OVERFLOW_INVALID
    assert refused.detail == (
        "channel CHAT: of queue_id 'sales',"
        " overflow[0].queue_id 'chats' takes CHAT alone, and this queue VOICE"
    )


def test_a_policy_says_which_of_its_rules_leads_to_another_channel(floor: "Floor") -> None:
    chats = floor.queue_command("chats", channel=CHAT)
    sales = floor.queue_command("sales", overflow=(to_chats("WAITED", 1),))
    refused = floor.refused(ApplyPolicy(queues=(chats, sales)))
    assert refused.reason is Reason.POLICY_INVALID
    assert refused.detail == (
        "queues[1].overflow[0].queue_id: 'chats': takes CHAT alone, and this queue VOICE"
    )
    anything = floor.queue_command("sales", channel=None, overflow=(to_chats("WAITED", 1),))
    assert floor.tell(ApplyPolicy(queues=(chats, anything)))
    assert floor.tell(RollBackPolicy(version=1))


def test_no_rule_names_the_wrong_channel(floor: "Floor") -> None:
    rule = OverflowRule(trigger=OverflowTrigger.WRONG_CHANNEL, action=OverflowAction.HAND_BACK)
    refused = floor.refused(floor.queue_command("sales", overflow=(rule,)))
    assert refused.reason is Reason.OVERFLOW_INVALID
    assert refused.detail.startswith("overflow[0].trigger WRONG_CHANNEL is no rule")


def test_the_state_of_a_queue_without_a_channel_is_written_and_read_back(mixed: "Floor") -> None:
    mixed.contact("ada", queue_id="anything", channel=CHAT)
    dumped = mixed.core.dump(mixed.state)
    assert mixed.core.dump(mixed.core.load("acme/emea", dumped)) == dumped


# Journals in which a channel kept nobody out.


def test_a_queue_of_an_older_journal_takes_any_until_its_policy_is_applied_anew(
    floor: "Floor",
) -> None:
    floor.agent("grace", voice=4)
    chats, sales = floor.queue_command("chats", channel=CHAT), floor.queue_command("sales")
    fold_older(floor, chats)
    came = floor.contact("ada", queue_id="chats")
    assert floor.offered(came) == [("ada", "grace")]
    _, configured = floor.tell(ApplyPolicy(queues=(sales, chats)))
    assert isinstance(configured, QueueConfigured)
    assert (configured.queue_id, configured.only_channel) == ("chats", CHAT)
    assert floor.tell(ApplyPolicy(queues=(sales, chats))) == ()
    assert isinstance(floor.contact("ben", queue_id="chats")[-1], ContactDequeued)
    assert floor.tell(RollBackPolicy(version=2))
    assert floor.offered(floor.contact("cyd", queue_id="chats")) == [("cyd", "grace")]
    assert floor.tell(chats)


def test_a_rule_of_an_older_journal_still_leads_to_a_queue_of_another_channel(
    floor: "Floor",
) -> None:
    fold_older(floor, floor.queue_command("chats", channel=CHAT))
    fold_older(floor, floor.queue_command("sales", overflow=(to_chats("QUEUE_LENGTH", 1),)))
    floor.contact("ada")
    floor.contact("ben")
    assert floor.state.contacts[ContactId("ben")].queue_id == "chats"
    assert floor.queue("other", overflow=(to_chats("QUEUE_LENGTH", 1),))
    dumped = floor.core.dump(floor.state)
    assert floor.core.dump(floor.core.load("acme/emea", dumped)) == dumped


def fold_wrong(floor: "Floor") -> None:
    """Let a rule of `sales` lead to another channel, as no decision lets it."""
    floor.queue("chats", channel=CHAT)
    wrong = floor.queue_command("sales", overflow=(to_chats("WAITED", 1),))
    floor.fold(sound_rules(wrong, 0, {}))


def test_a_queue_that_keeps_its_channel_is_changed_whatever_others_say(floor: "Floor") -> None:
    fold_wrong(floor)
    assert floor.queue("chats", channel=CHAT, ring_timeout_ms=5_000)
    assert floor.queue("chats", channel=None)
    refused = floor.refused(floor.queue_command("chats", channel=CHAT))
    assert refused.reason is Reason.OVERFLOW_INVALID


def test_no_policy_is_brought_back_in_which_a_rule_leads_to_another_channel(
    floor: "Floor",
) -> None:
    fold_wrong(floor)
    version = floor.state.versions.version
    floor.queue("sales")
    refused = floor.refused(RollBackPolicy(version=version))
    assert refused.reason is Reason.OVERFLOW_INVALID
    assert refused.detail == (
        f"version {version}, queue_id 'sales':"
        " overflow[0].queue_id 'chats' takes CHAT alone, and this queue VOICE"
    )
