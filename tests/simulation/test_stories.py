"""Stories that were played elsewhere are played again here, and come to the same digests."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.sim

TOOL = Path(__file__).resolve().parents[2] / "tools/write_stories.py"


def writer() -> ModuleType:
    spec = spec_from_file_location("write_stories", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_seed_tells_the_same_story_as_where_the_file_was_written() -> None:
    tool = writer()
    told = json.loads(tool.STORIES.read_text())
    if told["python"] != tool.python_version():
        pytest.skip(f"tests/simulation/stories.json was written by Python {told['python']}")
    assert tool.digests() == told["stories"], (
        "stories go otherwise now; if they are to: make golden"
    )
