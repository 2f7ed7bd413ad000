"""The demo's steps: what is going on, how long each took, on a terminal and in a log alike."""

from __future__ import annotations

import contextlib
import time
from textwrap import fill
from typing import TYPE_CHECKING, Final

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

INDENT: Final = " " * 6


class Phases:
    """Runs named steps one after the other and keeps their seconds."""

    def __init__(self, console: Console, total: int) -> None:
        """Show steps on a console, numbered up to `total`."""
        self.console = console
        self.seconds: dict[str, float] = {}
        self._total = total

    @contextlib.contextmanager
    def step(self, name: str, what: str) -> Iterator[None]:
        """Announce a step, run it, and keep its seconds under `name`."""
        number = len(self.seconds) + 1
        self.console.print(Text.assemble((f"[{number}/{self._total}] ", "bold cyan"), (what, "bold")))
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - began, 2)

    def say(self, sentence: str) -> None:
        """Print a sentence about the step that runs, as wide as the console."""
        lines = fill(sentence, self.console.width, initial_indent=INDENT, subsequent_indent=INDENT)
        self.console.print(Text(lines), soft_wrap=True)
