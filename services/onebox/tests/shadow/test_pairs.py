"""What counts as decided as it was."""

from dataclasses import replace as replaced

from msgspec.structs import replace

from huntgroup_onebox.shadow.pairs import is_as_it_was
from huntgroup_routing.core.messages import ContactMoved, ContactReplanned
from huntgroup_routing.core.values import ContactId, QueueId, StepTrigger

ADA, SALES = ContactId("ada"), QueueId("sales")
REPLANNED = ContactReplanned(
    at_ms=9, contact_id=ADA, queue_id=SALES, step=1, required_skills=(), requirement="", skipped=0
)
MOVED = ContactMoved(
    at_ms=9,
    contact_id=ADA,
    from_queue_id=QueueId("tax"),
    queue_id=SALES,
    priority=0,
    enqueued_at_ms=1,
    step=1,
    required_skills=(),
    requirement="",
    stay=1,
    overflow=None,
)


def test_a_journal_that_does_not_say_what_brought_contacts_to_a_step_is_the_same() -> None:
    told = replace(REPLANNED, trigger=StepTrigger.QUEUE_LENGTH, limit=3, value=4)
    moved = replaced(MOVED, step_trigger=StepTrigger.QUEUE_LENGTH, step_limit=3, step_value=4)
    assert is_as_it_was([told, moved], [REPLANNED, MOVED])


def test_another_step_or_another_contact_is_not() -> None:
    assert not is_as_it_was([replace(REPLANNED, step=2)], [REPLANNED])
    assert not is_as_it_was([replaced(MOVED, contact_id=ContactId("ben"))], [MOVED])
    assert not is_as_it_was([MOVED], [REPLANNED])
