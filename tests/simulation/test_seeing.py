"""What goes wrong where nobody waits for it ends a story, and so does what is read wrongly."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn
from unittest.mock import patch

import pytest

from huntgroup.session.v1.commands_pb2 import GetContactResponse
from huntgroup_agent_state.adapters.streams import DesktopStreams
from huntgroup_onebox.sim import stage
from huntgroup_onebox.sim.runner import play_seed
from huntgroup_onebox.sim.seeded_loop import UNHEARD_S, Node, SeededLoop
from huntgroup_onebox.sim.stores import NodeHistory, NodeVault
from huntgroup_reporting.app.effects import LedgerWriter
from huntgroup_reporting.app.ports import Cursor, LedgerChanges
from huntgroup_session.adapters import grpc_api
from huntgroup_session.core import SessionCore

pytestmark = pytest.mark.sim

SEED = 3
SEEDS_WITH_A_FETCH = 100
SOON_S, LATE_S = UNHEARD_S * 0.6, UNHEARD_S + 0.1


def fails(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("broken on purpose")


async def fails_at_once() -> None:
    fails()


async def waits_for_it() -> str:
    try:
        await asyncio.create_task(fails_at_once())
    except RuntimeError:
        return "heard"
    return ""


def on_node(loop: SeededLoop, node: Node) -> None:
    loop.call_on(node, 0.0, lambda: loop.create_task(fails_at_once()))


def after(loop: SeededLoop, for_s: float) -> list[str]:
    loop.run_until_complete(asyncio.sleep(for_s))
    return [who for who, _ in loop.failed_unheard()]


def test_a_task_that_failed_unheard_is_told_once() -> None:
    loop, node = SeededLoop(), Node("routing/0")
    on_node(loop, node)
    assert [after(loop, 0.1), after(loop, SOON_S), after(loop, LATE_S)] == [[], [], ["routing/0"]]
    assert after(loop, LATE_S) == []
    loop.dispose()


def test_a_failure_that_is_heard_is_none() -> None:
    loop = SeededLoop()
    assert loop.run_until_complete(waits_for_it()) == "heard"
    assert [after(loop, 0.1), after(loop, LATE_S)] == [[], []]
    loop.dispose()


def test_who_is_frozen_may_hear_of_it_later() -> None:
    loop, node = SeededLoop(), Node("routing/0")
    on_node(loop, node)
    assert after(loop, 0.1) == []
    loop.freeze(node)
    assert after(loop, SOON_S) == []
    loop.thaw(node)
    assert [after(loop, SOON_S), after(loop, SOON_S), after(loop, LATE_S)] == [
        [],
        [],
        ["routing/0"],
    ]
    loop.dispose()


def test_what_the_dead_would_have_heard_is_not_asked() -> None:
    loop, node = SeededLoop(), Node("routing/0")
    on_node(loop, node)
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.kill(node)
    assert [after(loop, 0.1), after(loop, LATE_S)] == [[], []]
    loop.dispose()


def test_a_task_of_a_process_that_fails_ends_the_story() -> None:
    with patch.object(LedgerWriter, "_take", fails):
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("the task 'ledger database' of reporting/")


def test_a_task_that_fails_and_is_not_waited_for_ends_the_story() -> None:
    # Not a mock, which would keep the story beyond its end.
    deaf = patch.object(LedgerWriter, "_done", lambda *_: None)
    with patch.object(LedgerWriter, "_take", fails), deaf:
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("a task of reporting/")
    assert "broken on purpose" in violation


def test_a_bug_in_a_call_ends_the_story_by_what_is_logged() -> None:
    with patch.object(DesktopStreams, "_next", fails):
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("agent-state/")
    assert "is broken: rpc failed" in violation


def test_a_desktop_stream_that_ends_with_a_bug_ends_the_story(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage, "BUG_OF_A_CALL", "")
    with patch.object(DesktopStreams, "_next", fails):
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("OpenDesktop ended with INTERNAL")


def test_a_partition_that_halts_ends_the_story_at_once() -> None:
    with patch.object(SessionCore, "decide", fails):
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("session/")
    assert "is broken: partition_halted" in violation


def test_a_read_older_than_what_was_true_when_it_was_sent_ends_the_story() -> None:
    get_contact = grpc_api.get_contact

    def old(request: Any, state: Any) -> Any:
        found = get_contact(request, state)
        if isinstance(found, GetContactResponse):
            found.contact.state = "INITIATED"
        return found

    with patch.object(grpc_api, "get_contact", old):
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("4: ")
    assert "was already" in violation


def test_a_recording_that_is_given_with_other_bytes_ends_the_story() -> None:
    read = NodeVault.read

    async def other(self: NodeVault, path: str, from_byte: int = 0) -> AsyncIterator[bytes]:
        async for piece in read(self, path, from_byte):
            yield bytes(len(piece))

    with patch.object(NodeVault, "read", other):
        told = (play_seed(seed, "liveness").violation for seed in range(SEEDS_WITH_A_FETCH))
        violation = next(filter(None, told))
    assert "was fetched, and is not what was sealed" in violation


def test_a_sealed_file_that_is_not_what_was_sealed_ends_the_story() -> None:
    put_stream = NodeVault.put_stream

    async def shorter(self: NodeVault, path: str, pieces: AsyncIterator[bytes]) -> None:
        await put_stream(self, path, pieces)
        stored = self._shared.stored
        stored[path] = stored[path][:-1]

    with patch.object(NodeVault, "put_stream", shorter):
        told = (play_seed(seed, "safety").violation for seed in range(SEEDS_WITH_A_FETCH))
        violation = next(filter(None, told))
    assert violation.startswith("5: ")
    assert "is not the file that was sealed" in violation


def test_a_database_that_holds_more_than_the_ledger_ends_a_story_of_safety() -> None:
    add = NodeHistory.add

    async def twice(
        self: NodeHistory, partition: int, changes: LedgerChanges, before: Cursor, after: Cursor
    ) -> None:
        await add(self, partition, changes, before, after)
        await add(self, partition, changes, after, after)

    with patch.object(NodeHistory, "add", twice):
        violation = play_seed(SEED, "safety").violation
    assert violation.startswith("6: the ledger's database differs from the log in ")
