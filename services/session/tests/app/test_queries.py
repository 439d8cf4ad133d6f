"""What may be asked about a domain."""

from typing import TYPE_CHECKING

from huntgroup_session.app.queries import find_contact
from huntgroup_session.core.messages import Reason, Refused
from huntgroup_session.core.values import ContactId

if TYPE_CHECKING:
    from services.session.tests.conftest import Story

ADA = ContactId("ada")


def test_a_contact_is_found_while_it_lives_and_after(story: "Story") -> None:
    assert find_contact(story.connected().state, ADA) is story.contact()
    assert find_contact(type(story)().completed().state, ADA) != find_contact(story.state, ADA)


def test_a_contact_that_is_not_known_is_said_so(story: "Story") -> None:
    assert find_contact(story.state, ADA) == Refused(
        Reason.CONTACT_UNKNOWN, "contact_id 'ada' is not known, or was over long ago"
    )
