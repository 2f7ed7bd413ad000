"""What is said of a command: why it is refused, in a code for programs and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

from driftline.schemas.control.command import RejectCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not."""

    code: RejectCode
    sentence: str
