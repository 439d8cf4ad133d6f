"""When a read is answered: also one that finds nothing waits until what it rests on is accepted."""

from typing import Any

import pytest

from huntgroup_eventlog.application import OutcomeUnknownError
from huntgroup_eventlog.journal import effects as fx
from huntgroup_eventlog.journal.decider import Submission
from huntgroup_eventlog.journal.replica import Replica, Role
from huntgroup_testkit.counter import Add, Counters, counter_application

DOMAIN = "acme/emea"


class Journal:
    """A log, and what its replicas answered."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.answers: dict[str, Any] = {}

    def owner(self, name: str) -> Replica:
        replica = Replica(counter_application(), partition=0, owner=name, address=f"{name}:1")
        self.catch_up(replica)
        replica.claim(1_000)
        self.carry_out(replica)
        self.catch_up(replica)
        assert replica.role is Role.OWNING
        return replica

    def add_one(self, replica: Replica, command_id: str) -> None:
        """Let it be decided, and go no further."""
        command = Add(name="x", amount=1)
        replica.submit(Submission(DOMAIN, command_id, command, 7, "", command_id, in_progress=True))
        replica.advance(2_000)

    def carry_out(self, replica: Replica) -> None:
        while replica.effects:
            match replica.effects.popleft():
                case fx.Append(value=value):
                    self.log.append(value)
                case fx.Answer(ticket=ticket, result=result):
                    self.answers[ticket] = result
                case _:
                    pass

    def catch_up(self, replica: Replica) -> None:
        """Let it read what there is, and answer."""
        for position in range(replica.position, len(self.log)):
            replica.read(position, self.log[position])
        self.carry_out(replica)


def find(state: Counters) -> int:
    """Return what there is of x; raises `LookupError` from 2 on."""
    if state.totals["x"] >= 2:
        raise LookupError("there is none below 2")
    return state.totals["x"]


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def owner(journal: Journal) -> Replica:
    """An owner who has taken in one, and decided another that is not in the log yet."""
    owner = journal.owner("a")
    journal.add_one(owner, "c1")
    journal.carry_out(owner)
    journal.catch_up(owner)
    journal.add_one(owner, "c2")
    return owner


def test_that_nothing_is_found_is_told_once_everything_it_rests_on_is_accepted(
    journal: Journal, owner: Replica
) -> None:
    owner.query(DOMAIN, find, "q")
    journal.carry_out(owner)
    assert "q" not in journal.answers
    journal.catch_up(owner)
    assert isinstance(journal.answers["q"], LookupError)
    owner.query(DOMAIN, find, "when nothing is in flight")
    journal.carry_out(owner)
    assert isinstance(journal.answers["when nothing is in flight"], LookupError)


def test_that_nothing_is_found_is_not_told_where_what_it_rests_on_is_lost(
    journal: Journal, owner: Replica
) -> None:
    owner.query(DOMAIN, find, "q")
    owner.effects.clear()  # the batch never comes to the log
    successor = journal.owner("b")
    journal.catch_up(owner)
    assert isinstance(journal.answers["q"], OutcomeUnknownError)
    successor.query(DOMAIN, find, "q again")
    journal.carry_out(successor)
    assert journal.answers["q again"] == 1


def test_a_read_that_ends_as_an_iterator_does_is_answered(journal: Journal, owner: Replica) -> None:
    owner.query(DOMAIN, lambda _: next(iter(())), "q")
    journal.carry_out(owner)
    journal.catch_up(owner)
    assert isinstance(journal.answers["q"], RuntimeError), "no future takes a StopIteration"
