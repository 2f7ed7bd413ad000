"""What is said of a command: why it is refused, in a code for programs and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from driftline.schemas.control.command import RejectCode

MAX_CHARS: Final = 1_000
UNSEEN: Final[frozenset[RejectCode]] = frozenset(("malformed", "wrong_audience", "expired", "replayed"))
"""Codes of what was refused before its id and nonce were looked at, or because of them: it may come again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not; the sentence is one line, whatever strangers' words it quotes."""

    code: RejectCode
    sentence: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", one_line(self.sentence))


def one_line(text: str, most: int = MAX_CHARS) -> str:
    r"""The text as one line that a terminal shows and does not obey, cut where it is too long.

    >>> one_line("a\n\x1b[31mb"), one_line("abcdef", 4)
    ('a [31mb', 'abc…')
    """
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return shown if len(shown) <= most else shown[: most - 1] + "…"
