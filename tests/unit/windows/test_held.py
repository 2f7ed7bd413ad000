"""Stored values: the longer prefix of the log wins, and another format is a sentence."""

from __future__ import annotations

import pytest

from driftline.streams.windows.held import PaneKey, StateError, decode_pane_key, is_backward, seal, unseal


def test_the_greater_position_wins_then_the_later_write() -> None:
    """A value is backward iff it has absorbed less, or as much and was written earlier."""
    low, high, rewritten = seal(4, 9, b"x"), seal(5, 1, b"y"), seal(5, 2, b"z")
    assert is_backward(high, low)
    assert is_backward(rewritten, high)
    assert not is_backward(low, high)
    assert not is_backward(high, high)
    assert not is_backward(None, low)
    assert not is_backward(high, None)


def test_a_value_reads_back() -> None:
    """Position -1 (nothing absorbed) and the body survive."""
    assert unseal(b"k", seal(-1, 3, b"body")) == (-1, 3, b"body")


@pytest.mark.parametrize("value", [b"", b"\x02" + bytes(12), b"\x01"])
def test_another_format_is_one_sentence(value: bytes) -> None:
    """A value of another format stops the reader and names key and format."""
    with pytest.raises(StateError, match="format"):
        unseal(b"dflights", value)


def test_a_pane_key_reads_back() -> None:
    """Names with any characters survive the key."""
    key = PaneKey("däployment|x", "1", "champion", "5m", 300_000)
    assert decode_pane_key(key.encode()) == key
