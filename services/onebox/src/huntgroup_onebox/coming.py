"""Since when somebody's wait counts who came to a queue by routing's journal."""

from huntgroup_routing.core.messages import ContactEnqueued


def came_at_ms(event: ContactEnqueued) -> int:
    """Return when the wait began that a contact's coming tells of, as reports count it.

    Who is called back, or took the place of a call that was lost, stands at an older age, but nobody was on the line.
    """
    return event.at_ms if event.returns or event.resumes else event.enqueued_at_ms
