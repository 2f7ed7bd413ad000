"""The audit as it is followed for the archive: what one reading gives, whatever lies in the topic."""

from __future__ import annotations

import pytest
from audit_logs import Book, filled, new_book
from signed import command

from driftline.agents.control.forgets import Forgets
from driftline.deploy.control import forgetting
from driftline.deploy.control.forgetting import Following
from driftline.schemas.forgets import Heard
from driftline.schemas.settings import Control, Settings


def read(book: Book, monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Follow a book to its end."""

    class Reader:
        is_at_end = False

        def __init__(self, _: object) -> None:
            self.values = [book.records]

        def read(self, _: float) -> list[bytes]:
            self.is_at_end = not self.values
            return self.values.pop() if self.values else []

    monkeypatch.setattr(forgetting, "Reader", Reader)
    settings = Settings(control=Control(genesis=book.pins.genesis))
    return Following(settings, None).read(60.0)


def test_a_flood_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of records that somebody adds without end a number is kept, and why the first of them is not believed."""
    book = filled(3)
    book.records += [b"rubbish"] + [b'{"seq": 77}'] * 1_000
    heard = read(book, monkeypatch)
    assert heard.refused == {"chain": 1_001}
    assert heard.why.startswith("this is no audit record: JSON is malformed")
    assert heard.mark is not None
    assert (heard.forgets, heard.doubt, heard.mark.size) == ((), None, 3)


def test_a_fault_of_ours_obeys_nothing_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be judged is one that is not believed; what comes after it is heard."""
    book = new_book()
    for target in ("a", "b"):
        book.decide(command("forget", target=target), "sue")
    judged, faults = Forgets._judged, iter([KeyError("of ours")])

    def judge(self: Forgets, record: object) -> object:
        if fault := next(faults, None):
            raise fault
        return judged(self, record)  # type: ignore[arg-type]

    monkeypatch.setattr(Forgets, "_judged", judge)
    heard = read(book, monkeypatch)
    assert [one.target for one in heard.forgets] == ["b"]
    assert heard.refused == {"forget": 1}
    assert heard.why == "a record could not be judged: KeyError"
