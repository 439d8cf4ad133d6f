"""Plays a story alone: without logs, garbage collection and other chance of the process around it."""

import gc
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from unittest.mock import patch
from weakref import WeakMethod

import structlog

from huntgroup_onebox.sim.plan import Plan
from huntgroup_onebox.sim.verdict import Mode, Verdict
from huntgroup_onebox.sim.world import World
from huntgroup_routing.core import conditions

ROUNDS_MAX: Final = 10
ANSWERS_MIN: Final = 3
"""So many answers make a service level: no queue of a story comes to the twenty that it takes otherwise."""
BUG_OF_A_CALL: Final = "rpc failed"
"""What a service logs when it answers INTERNAL."""


def play(plan: Plan, mode: Mode) -> Verdict:
    """Play a story to its end or to its first violation."""
    with _alone() as logged, patch.object(conditions, "ANSWERS_MIN", ANSWERS_MIN):
        world = World(plan, mode)
        logged.append(WeakMethod(world.tell_logged))
        verdict = world.run()
        world.loop.dispose()
        del world
    return verdict


@contextmanager
def _alone() -> Iterator[list["WeakMethod[Callable[..., None]]"]]:
    """Send logs to what is put on the list, and leave out the collector: it would close what dead nodes left open."""
    logged: list[WeakMethod[Callable[..., None]]] = []

    def processor(logger: object, name: str, event: MutableMapping[str, Any]) -> NoReturn:
        del logger
        error: BaseException | None = event.get("exc_info")
        tell = logged[0]() if logged else None
        if tell is not None:
            where = traceback.extract_tb(error.__traceback__)[-3:] if error else ""
            bug = name == "critical" or event["event"] == BUG_OF_A_CALL
            tell(f"{event['event']} {error!r} {where}", bug=bug)
        raise structlog.DropEvent

    config, collecting = structlog.get_config(), gc.isenabled()
    wrapper = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=wrapper, processors=[processor])
    gc.disable()
    gc.freeze()
    # What dead nodes left open complains when it is let go of; nobody is to hear that.
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield logged
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            _collect()
        gc.unfreeze()
        sys.unraisablehook = hook
        structlog.configure(**config)
        if collecting:
            gc.enable()


def _collect() -> None:
    """Let go of the story: what is closed in one round may hold the rest until the next."""
    for _ in range(ROUNDS_MAX):
        if not gc.collect():
            return
