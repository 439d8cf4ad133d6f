"""Scorers come with installed packages, by the name of their entry points."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from huntgroup_routing.core.scorers import ScoredContact, points
from huntgroup_routing.core.values import Channel, ContactId, QueueId
from huntgroup_routing.wiring import installed_scorers

PACKAGE = """
class SameLanguage:
    version = "1.0"

    def score(self, contact, agents):
        return [10 * ("german" in agent.levels) - agent.contacts for agent in agents]


SAME_LANGUAGE = SameLanguage()
"""


@pytest.fixture(autouse=True)
def _looked_through_anew() -> Iterator[None]:
    installed_scorers.cache_clear()
    yield
    installed_scorers.cache_clear()


def test_what_a_package_installs_can_be_named_by_queues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_scorers.py").write_text(PACKAGE)
    metadata = tmp_path / "acme_scorers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-scorers\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[huntgroup.scorers]\nsame-language = acme_scorers:SAME_LANGUAGE\n"
    )
    assert "same-language" not in installed_scorers()
    monkeypatch.syspath_prepend(str(tmp_path))
    installed_scorers.cache_clear()
    scorer = installed_scorers()["same-language"]
    contact = ScoredContact(
        contact_id=ContactId("ada"),
        queue_id=QueueId("sales"),
        channel=Channel.VOICE,
        priority=0,
        waited_ms=0,
        customer_key="",
        required_skills=(),
    )
    assert points(scorer, contact, []) == ([], "1.0")
