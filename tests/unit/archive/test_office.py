"""Dead letters that are sent again are those of topics that emitters write, whoever asks."""

from __future__ import annotations

from typing import Any, Self

import pytest

from driftline.schemas.settings import Settings
from driftline.streams.archive import office
from driftline.streams.archive.office import LetterError, LetterFilter


class Tables:
    """A ClickHouse that remembers what it is asked, and has nothing."""

    asked: list[str]

    def __init__(self, *_: Any) -> None:
        Tables.asked = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def query(self, statement: str, _parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Remember it."""
        Tables.asked.append(statement)
        return []


@pytest.mark.parametrize("chosen", [LetterFilter(), LetterFilter(reason="bad_magic")])
def test_all_letters_are_those_of_emitters(chosen: LetterFilter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audit, acks, commands and all else are not even looked for."""
    monkeypatch.setattr(office, "Client", Tables)
    with pytest.raises(LetterError, match="no open dead letter matches"):
        office.retry(Settings(), chosen, 0.0)
    (statement,) = Tables.asked
    assert "AND topic IN ('predictions', 'labels', 'emitter-status') AND" in statement


@pytest.mark.parametrize("topic", ["audit", "acks", "deployment-control", "windows", "dead-letter"])
def test_a_letter_of_another_topic_is_refused_by_name(topic: str) -> None:
    """One sentence, before ClickHouse is asked, says which are sent again."""
    with pytest.raises(
        LetterError, match=f"letters of {topic} are not sent again: only those of predictions"
    ):
        office.retry(Settings(), LetterFilter(name=f"{topic}/0/1"), 0.0)
