"""A contact comes in, waits, rings, and may give up."""

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replaced

from huntgroup_session.core.messages import (
    ContactAbandoned,
    ContactHandedBack,
    ContactInitiated,
    ContactMoved,
    ContactOffered,
    ContactQueued,
    ContactReturnedToQueue,
    HangUpContact,
    ObserveContactMoved,
    ObserveContactOverflowed,
    ObserveOfferCreated,
    ObserveOfferFailed,
    ObserveQueueConfigured,
    ObserveQueueRetired,
    QueueContact,
    QueueForgotten,
    QueueLearned,
    Reason,
    Refused,
    StartContact,
)
from huntgroup_session.core.state import CONTACTS_MAX, REQUIREMENTS_MAX
from huntgroup_session.core.values import (
    AbandonStage,
    AgentId,
    Attribute,
    Channel,
    ContactId,
    ConversationId,
    InitiationMethod,
    OfferId,
    OverflowTrigger,
    QueueId,
    ReturnReason,
)

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

ADA, BEN, CAI = ContactId("ada"), ContactId("ben"), ContactId("cai")
GRACE, ALAN = AgentId("grace"), AgentId("alan")
FIRST, SECOND = OfferId("ada.1"), OfferId("ada.2")
SALES = QueueId("sales")

START = StartContact(
    contact_id=ADA,
    conversation_id=ConversationId("talks-with-ada"),
    channel=Channel.CHAT,
    initiation_method=InitiationMethod.API,
    customer_endpoint="ada@example.org",
    system_endpoint="shop",
    attributes=(Attribute(key="language", value="de"),),
)
QUEUE = QueueContact(contact_id=ADA, queue_id=SALES, priority=5, required_skills=("german",))


def test_a_contact_that_comes_in_is_described_as_it_was_announced(story: "Story") -> None:
    assert story.when(START, 1_000) == (
        ContactInitiated(
            at_ms=1_000,
            contact_id=ADA,
            conversation_id=ConversationId("talks-with-ada"),
            channel=Channel.CHAT,
            initiation_method=InitiationMethod.API,
            customer_endpoint="ada@example.org",
            system_endpoint="shop",
            attributes=(Attribute(key="language", value="de"),),
        ),
    )


def test_a_contact_is_inbound_and_a_conversation_of_its_own_unless_said_otherwise(
    story: "Story",
) -> None:
    plain = replace(
        START,
        conversation_id=ConversationId(""),
        initiation_method=InitiationMethod.UNSPECIFIED,
    )
    (initiated,) = story.given(plain, 1_000)
    assert isinstance(initiated, ContactInitiated)
    assert initiated.conversation_id == "ada"
    assert initiated.initiation_method is InitiationMethod.INBOUND


def test_an_id_is_taken_while_its_contact_lives_and_after(story: "Story") -> None:
    story.initiated()
    assert story.when(START, 1_500) == Refused(
        Reason.CONTACT_EXISTS, "contact_id 'ada' is taken: that contact is INITIATED"
    )
    story.given(HangUpContact(contact_id=ADA), 2_000)
    assert story.when(START, 2_500) == Refused(
        Reason.CONTACT_EXISTS, "contact_id 'ada' is taken: that contact is ABANDONED"
    )


def test_attributes_name_each_key_once(story: "Story") -> None:
    twice = replace(START, attributes=(Attribute(key="vip", value="1"),) * 2)
    assert story.when(twice, 1_000) == Refused(
        Reason.ATTRIBUTE_REPEATED, "attributes ['vip', 'vip'] name a key more than once"
    )


def test_a_domain_is_full_until_one_of_its_contacts_ends(story: "Story") -> None:
    story.initiated(BEN)
    ben = story.contact(BEN)
    others = (ContactId(f"c{number}") for number in range(CONTACTS_MAX - 1))
    story.state.live.update((other, replaced(ben, contact_id=other)) for other in others)
    assert story.core.decide(story.state, START, 2_000) == Refused(
        Reason.CONTACTS_FULL, "contact_id 'ada' is one too many: 200000 contacts live"
    )
    again = replace(START, contact_id=BEN)
    refused = story.core.decide(story.state, again, 2_000)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.CONTACT_EXISTS, "who is in already is told so"
    story.given(HangUpContact(contact_id=BEN), 3_000)
    assert len(story.given(START, 4_000)) == 1


def test_a_queue_for_a_channel_takes_contacts_of_that_channel_alone(story: "Story") -> None:
    story.initiated()
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2, channel=Channel.CHAT), 0)
    assert story.when(QUEUE, 2_000) == Refused(
        Reason.WRONG_CHANNEL, "queue_id 'sales' takes CHAT alone: the contact is VOICE"
    )
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2, channel=Channel.VOICE), 2_000)
    assert story.given(QUEUE, 3_000)
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2, channel=Channel.CHAT), 4_000)
    assert story.when(QUEUE, 5_000) == (), "who waits already stays"


def test_a_queue_without_a_channel_takes_contacts_of_any(story: "Story") -> None:
    story.initiated()
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2), 0)
    assert story.given(QUEUE, 2_000)


def test_a_queued_contact_waits_from_the_time_of_the_decision(story: "Story") -> None:
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2), 0)
    story.initiated()
    skills = ("german", "billing", "german")
    assert story.when(replace(QUEUE, required_skills=skills), 2_000) == (
        ContactQueued(
            at_ms=2_000,
            contact_id=ADA,
            queue_id=SALES,
            channel=Channel.VOICE,
            priority=5,
            required_skills=("billing", "german"),
            enqueued_at_ms=2_000,
        ),
    )


def test_whom_a_contact_is_for_is_told_to_routing(story: "Story") -> None:
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2), 0)
    story.initiated()
    said = replace(
        QUEUE,
        preferred_agents=(AgentId("grace"),),
        direct_agent_id=AgentId("alan"),
        customer_key="+1202",
    )
    (queued,) = story.when(said, 2_000)  # type: ignore[misc]
    assert isinstance(queued, ContactQueued)
    assert (queued.preferred_agents, queued.direct_agent_id, queued.customer_key) == (
        ("grace",),
        "alan",
        "+1202",
    )


def test_asking_twice_for_the_same_place_asks_once(story: "Story") -> None:
    assert story.queued().when(replace(QUEUE, required_skills=("german", "german")), 2_500) == ()


def test_a_contact_cannot_be_queued_where_no_queue_is_known(story: "Story") -> None:
    assert story.initiated().when(QUEUE, 2_000) == Refused(
        Reason.QUEUE_UNKNOWN, "queue_id 'sales' is not known: it must be configured in routing"
    )


def test_a_queue_is_full_while_its_limit_waits_or_rings(story: "Story") -> None:
    story.offering().queued(BEN).initiated(CAI)
    assert story.when(replace(QUEUE, contact_id=CAI), 6_000) == Refused(
        Reason.QUEUE_FULL, "queue_id 'sales' is full: its waiting_max is 2"
    )


def test_a_queue_has_room_again_when_somebody_is_connected_or_leaves(story: "Story") -> None:
    story.connected().queued(BEN).queued(CAI)
    story.given(HangUpContact(contact_id=BEN), 10_000)
    assert story.state.queues[SALES].waiting == 1


def test_a_queue_is_learned_once_and_again_when_its_limit_changes(story: "Story") -> None:
    configured = ObserveQueueConfigured(queue_id=SALES, waiting_max=2)
    learned = QueueLearned(at_ms=10, queue_id=SALES, waiting_max=2)
    assert story.given(configured, 10) == (learned,)
    assert story.when(configured, 20) == ()
    story.queued()
    larger = replace(configured, waiting_max=7)
    assert story.given(larger, 30) == (replace(learned, at_ms=30, waiting_max=7),)
    assert (story.state.queues[SALES].waiting_max, story.state.queues[SALES].waiting) == (7, 1)


def test_a_retired_queue_takes_nobody_and_keeps_those_who_wait(story: "Story") -> None:
    story.queued().initiated(BEN)
    retired = ObserveQueueRetired(queue_id=SALES)
    assert story.given(retired, 3_000) == (QueueForgotten(at_ms=3_000, queue_id=SALES),)
    assert story.when(retired, 3_000) == ()
    refused = story.when(replace(QUEUE, contact_id=BEN), 4_000)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.QUEUE_UNKNOWN
    story.given(HangUpContact(contact_id=ADA), 5_000)
    assert SALES not in story.state.queues


def test_a_retired_queue_that_is_configured_anew_takes_contacts_again(story: "Story") -> None:
    story.queued().initiated(BEN)
    story.given(ObserveQueueRetired(queue_id=SALES), 3_000)
    story.given(ObserveQueueConfigured(queue_id=SALES, waiting_max=2), 4_000)
    assert story.given(replace(QUEUE, contact_id=BEN), 5_000)
    assert story.state.queues[SALES].waiting == 2


def test_an_offer_rings_for_a_waiting_contact(story: "Story") -> None:
    created = ObserveOfferCreated(contact_id=ADA, offer_id=FIRST, agent_id=GRACE)
    assert story.queued().when(created, 5_000) == (
        ContactOffered(at_ms=5_000, contact_id=ADA, offer_id=FIRST, agent_id=GRACE),
    )


def test_a_contact_waits_on_with_its_age_when_its_offer_comes_to_nothing(story: "Story") -> None:
    expired = ObserveOfferFailed(contact_id=ADA, offer_id=FIRST, reason=ReturnReason.EXPIRED)
    assert story.offering().given(expired, 25_000) == (
        ContactReturnedToQueue(
            at_ms=25_000, contact_id=ADA, offer_id=FIRST, reason=ReturnReason.EXPIRED
        ),
    )
    assert story.contact().state == "QUEUED"
    assert story.contact().place.enqueued_at_ms == 2_000
    assert story.contact().offer.offer_id == ""
    again = ObserveOfferCreated(contact_id=ADA, offer_id=SECOND, agent_id=ALAN)
    assert story.given(again, 26_000) == (
        ContactOffered(at_ms=26_000, contact_id=ADA, offer_id=SECOND, agent_id=ALAN),
    )


def test_a_customer_who_leaves_the_menu_has_not_waited(story: "Story") -> None:
    assert story.initiated().when(HangUpContact(contact_id=ADA), 1_800) == (
        ContactAbandoned(
            at_ms=1_800,
            contact_id=ADA,
            queue_id=QueueId(""),
            stage=AbandonStage.IN_MENU,
            wait_ms=0,
            offer_id=OfferId(""),
        ),
    )


def test_a_customer_who_leaves_the_queue_has_waited(story: "Story") -> None:
    assert story.queued().when(HangUpContact(contact_id=ADA), 9_500) == (
        ContactAbandoned(
            at_ms=9_500,
            contact_id=ADA,
            queue_id=SALES,
            stage=AbandonStage.IN_QUEUE,
            wait_ms=7_500,
            offer_id=OfferId(""),
        ),
    )


def test_a_customer_who_leaves_while_it_rings_names_the_offer(story: "Story") -> None:
    assert story.offering().when(HangUpContact(contact_id=ADA), 9_500) == (
        ContactAbandoned(
            at_ms=9_500,
            contact_id=ADA,
            queue_id=SALES,
            stage=AbandonStage.WHILE_OFFERING,
            wait_ms=7_500,
            offer_id=FIRST,
        ),
    )


MOVED = ObserveContactMoved(
    contact_id=ADA,
    queue_id=QueueId("night"),
    priority=5,
    enqueued_at_ms=2_000,
    stay=1,
    trigger=OverflowTrigger.WAITED,
)
HANDED_BACK = ObserveContactOverflowed(
    contact_id=ADA,
    trigger=OverflowTrigger.EXIT_KEY,
    key="3",
    action=None,
    endpoint="",
    attempts=4,
)


def test_who_is_moved_waits_elsewhere_with_its_age_and_counts_there(story: "Story") -> None:
    story.given(ObserveQueueConfigured(queue_id=QueueId("night"), waiting_max=9), 0)
    story.offering()
    (moved,) = story.given(MOVED, 9_000)
    assert moved == ContactMoved(
        at_ms=9_000,
        contact_id=ADA,
        from_queue_id=SALES,
        queue_id=QueueId("night"),
        priority=5,
        enqueued_at_ms=2_000,
        wait_ms=7_000,
        stay=1,
        trigger=OverflowTrigger.WAITED,
    )
    assert story.contact().state == "QUEUED"
    assert {name: queue.waiting for name, queue in story.state.queues.items()} == {
        "night": 1,
        "sales": 0,
    }
    assert story.when(MOVED, 9_001) == (), "told twice"
    (abandoned,) = story.given(HangUpContact(contact_id=ADA), 9_500)
    assert isinstance(abandoned, ContactAbandoned)
    assert (abandoned.queue_id, abandoned.wait_ms, abandoned.stay) == ("night", 7_500, 1)


def test_a_queue_that_was_never_told_of_takes_whom_routing_moves_there(story: "Story") -> None:
    story.queued().given(MOVED, 9_000)
    assert story.state.queues[QueueId("night")].waiting == 1
    refused = story.initiated(BEN).when(
        replace(QUEUE, contact_id=BEN, queue_id=QueueId("night")), 9_001
    )
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.QUEUE_UNKNOWN


def test_who_is_handed_back_may_be_queued_again_as_one_who_comes_now(story: "Story") -> None:
    story.queued()
    (handed_back,) = story.given(HANDED_BACK, 9_000)
    assert isinstance(handed_back, ContactHandedBack)
    assert (handed_back.wait_ms, handed_back.key, handed_back.stay) == (7_000, "3", 0)
    assert (story.contact().state, story.state.queues[SALES].waiting) == ("INITIATED", 0)
    (queued,) = story.given(QUEUE, 12_000)
    assert isinstance(queued, ContactQueued)
    assert (queued.enqueued_at_ms, queued.stay, queued.attempts) == (12_000, 1, 4)


ASKING = replace(QUEUE, requirement='lang == "ar"')
OPEN = ObserveQueueConfigured(queue_id=SALES, waiting_max=2)


def test_what_a_contact_asks_of_agents_goes_with_it(story: "Story") -> None:
    story.given(OPEN, 0)
    story.initiated()
    (queued,) = story.given(ASKING, 2_000)
    assert isinstance(queued, ContactQueued)
    assert queued.requirement == 'lang == "ar"'
    assert story.when(ASKING, 3_000) == ()
    again = story.when(QUEUE, 3_000)
    assert isinstance(again, Refused)
    assert again.reason is Reason.WRONG_STATE


def test_those_who_wait_have_so_many_requirements_of_their_own_at_most(story: "Story") -> None:
    story.given(OPEN, 0)
    story.initiated()
    story.state.requirements.update(f'agent == "a{number}"' for number in range(REQUIREMENTS_MAX))
    refused = story.when(ASKING, 2_000)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.REQUIREMENTS_FULL
    assert refused.detail == (
        "requirement 'lang == \"ar\"' is one too many: those who wait have 200 others"
    )
    del story.state.requirements['agent == "a7"']
    story.given(ASKING, 2_000)
    assert len(story.state.requirements) == REQUIREMENTS_MAX
    story.given(HangUpContact(contact_id=ADA), 3_000)
    assert len(story.state.requirements) == REQUIREMENTS_MAX - 1, "it is free again"
