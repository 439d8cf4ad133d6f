"""What a contact asks of agents by itself: beside what its queue asks, at every step and in every queue."""

from typing import TYPE_CHECKING

from huntgroup_contracts.requirements import TEXT_MAX, one_form
from huntgroup_routing.core.invariants import check
from huntgroup_routing.core.messages import AssignContact, ContactEnqueued, MoveContact, Reason
from huntgroup_routing.core.overflow import OverflowAction, OverflowRule, OverflowTrigger
from huntgroup_routing.core.values import AgentId, ContactId, QueueId, RoutingStep

if TYPE_CHECKING:
    from services.routing.tests.conftest import Floor

ADA = ContactId("ada")
EXPERT = 'skill("tax") >= 5'
IN_ARABIC = 'group == "arabic"'


def test_an_agent_must_meet_both(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT)
    floor.agent("grace", levels={"tax": 9})
    floor.agent("alan", groups=("arabic",))
    (enqueued,) = floor.contact("ada", requirement=IN_ARABIC)
    assert isinstance(enqueued, ContactEnqueued)
    assert (enqueued.requirement, enqueued.own_requirement) == (EXPERT, IN_ARABIC)
    assert floor.offered(floor.contact("ben")) == [("ben", "grace")]
    offered = floor.offered(floor.agent("mary", levels={"tax": 5}, groups=("arabic",)))
    assert offered == [("ada", "mary")]


def test_it_stays_at_every_step_and_in_every_queue(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT, steps=(RoutingStep(after_ms=10_000),))
    floor.queue("night", requirement='not agent == "alan"')
    floor.agent("grace")
    floor.agent("alan", groups=("arabic",))
    floor.contact("ada", requirement=IN_ARABIC)
    assert floor.offered(floor.pass_time(10_000)) == [("ada", "alan")]
    moved = floor.tell(MoveContact(contact_id=ADA, queue_id=QueueId("night")), 10_001)
    assert floor.offered(moved) == []
    floor.agent("mary", groups=("arabic",), at_ms=10_002)
    assert floor.state.contacts[ADA].offer_id == "ada.2"


def test_one_that_was_accepted_once_is_served_however_long_its_one_form_is(floor: "Floor") -> None:
    said = " or ".join(f'skill("s{number}")' for number in range(60))
    form = one_form(said, accepted=True)
    assert len(said) < TEXT_MAX < len(form)
    floor.agent("grace")
    floor.contact("ada", requirement=form)
    assert floor.offered(floor.agent("alan", "s59")) == [("ada", "alan")]
    assert check(floor.core.load("acme/emea", floor.core.dump(floor.state))) == []


def test_contacts_that_ask_the_same_stand_in_one_class(floor: "Floor") -> None:
    for contact_id in ("ada", "ben"):
        floor.contact(contact_id, requirement=IN_ARABIC)
    floor.contact("cai")
    ada, ben, cai = (floor.state.contacts[ContactId(one)] for one in ("ada", "ben", "cai"))
    assert ada.requirement is ben.requirement
    assert cai.requirement is not ada.requirement


def test_what_nobody_can_meet_together_with_the_queue_waits_as_for_its_skills(
    floor: "Floor",
) -> None:
    nobody = OverflowRule(trigger=OverflowTrigger.NOBODY_ON_DUTY, action=OverflowAction.HAND_BACK)
    floor.queue(requirement=EXPERT)
    floor.agent("grace", levels={"tax": 9})
    floor.contact("ada", requirement='skill("tax") < 5')
    assert floor.state.contacts[ADA].requirement.able == 0
    floor.queue("other", requirement=EXPERT, overflow=(nobody,))
    floor.contact("ben", queue_id="other", requirement='skill("tax") < 5')
    assert ContactId("ben") not in floor.state.contacts


def test_a_supervisor_is_told_what_it_asks(floor: "Floor") -> None:
    floor.queue(requirement=EXPERT)
    floor.agent("grace", levels={"tax": 9})
    floor.contact("ada", requirement=IN_ARABIC)
    assign = AssignContact(
        contact_id=ADA,
        agent_id=AgentId("grace"),
        supervisor_id=AgentId("eve"),
        waive_requirement=False,
    )
    refused = floor.refused(assign)
    assert refused.reason is Reason.AGENT_NOT_ABLE
    assert refused.detail.endswith(f"{EXPERT} and {IN_ARABIC}")


def test_a_dump_keeps_it(floor: "Floor") -> None:
    floor.contact("ada", "tax", requirement=IN_ARABIC)
    again = type(floor)(state=floor.core.load("acme/emea", floor.core.dump(floor.state)))
    assert again.core.dump(again.state) == floor.core.dump(floor.state)
    assert again.offered(again.agent("alan", "tax")) == []
    assert again.offered(again.agent("mary", "tax", groups=("arabic",))) == [("ada", "mary")]
