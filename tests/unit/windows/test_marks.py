"""Sequence marks: what was seen is skipped, whatever came in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shards import BASE_MS, RowsOnly, batch

from driftline.agents.emit.courier import WINDOW_BATCHES
from driftline.agents.emit.options import DAY_S, Options
from driftline.schemas.columns import Identity
from driftline.streams.windows import marks as marks_module
from driftline.streams.windows.marks import MAX_AGE_MS, MAX_EMITTERS, WINDOW, Mark, SequenceMarks
from driftline.streams.windows.rules import Rules
from driftline.streams.windows.shard import Shard


def test_a_number_is_new_once() -> None:
    """Each sequence number is new exactly once, in order or out of order inside the window."""
    mark = Mark()
    order = [0, 3, 1, 2, 7, 4, 5, 6, 3, 0, 7]
    assert [mark.see(seq) for seq in order] == [True] * 8 + [False] * 3
    assert (mark.high, mark.bits) == (7, 0)


def test_a_jump_beyond_the_window_counts_what_is_lost() -> None:
    """A number far ahead slides the window; the numbers that fall out unseen are counted as lost."""
    mark = Mark()
    assert mark.see(0)
    assert mark.see(2)
    assert mark.see(WINDOW + 10)
    assert mark.high == 10
    assert mark.lost == 9
    assert mark.see(11)
    assert not mark.see(5)


def test_emitters_do_not_share_marks() -> None:
    """The same number of another instance or epoch is another batch."""
    marks = SequenceMarks()
    assert marks.see("a", 1, 0, 0)
    assert marks.see("a", 2, 0, 0)
    assert marks.see("b", 1, 0, 0)
    assert not marks.see("a", 1, 0, 0)


def test_marks_survive_storing() -> None:
    """What is stored and read back answers the same."""
    marks = SequenceMarks()
    for seq in (0, 1, 5, 900):
        marks.see("a", 7, seq, 1000)
    again = SequenceMarks.from_list(marks.to_list())
    assert again == marks
    assert not again.see("a", 7, 900, 1000)
    assert again.see("a", 7, 899, 1000)


def test_marks_are_bounded() -> None:
    """At the cap the marks past their age go first, else the one silent for longest."""
    marks = SequenceMarks()
    for number in range(MAX_EMITTERS):
        marks.see(f"e{number}", 0, 0, number)
    marks.see("young", 0, 0, MAX_EMITTERS)
    assert len(marks.marks) == MAX_EMITTERS
    assert ("e0", 0) not in marks.marks
    assert marks.forgotten == 1
    marks.see("late", 0, 0, MAX_AGE_MS + MAX_EMITTERS)
    assert set(marks.marks) == {("young", 0), ("late", 0)}
    assert marks.forgotten == 1


def test_marks_outlive_what_emitters_send_again() -> None:
    """The greatest age of a spool, and a courier's batches on their way, are within what is remembered, with room."""
    oldest = Options("churn", "1").spool_age_s
    assert (oldest + DAY_S) * 1000 <= MAX_AGE_MS
    assert 4 * WINDOW_BATCHES <= WINDOW


def test_marks_forgotten_early_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a partition forgets of its deployments before its age is in its tally, from which the metric is fed."""
    monkeypatch.setattr(marks_module, "MAX_EMITTERS", 2)
    shard = Shard(0, {}, RowsOnly(), Rules())
    for number in range(5):
        one = replace(batch("a", 0, [BASE_MS]), identity=Identity(f"e{number}", 1, 0))
        shard.fold(number, one, BASE_MS)
    assert shard.tally.forgotten == 3
