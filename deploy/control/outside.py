"""Outside: systems elsewhere hear of each command that waits, by webhook; they take part by holding a key.

Nothing is remembered: whoever begins again tells all that waits again, under the same keys, by which receivers know it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.deploy.control.shown import waiting_table
from driftline.streams.alerts.webhook import headers, pause_s
from driftline.streams.processors.alert_post import UnansweredError

if TYPE_CHECKING:
    from driftline.agents.control.pending import Waiting
    from driftline.deploy.control.board import Board
    from driftline.schemas.routes import Route

Post = Callable[[str, bytes, dict[str, str]], tuple[int, str]]
KIND = "approval_wanted"


def body(waiting: Waiting, lacking: int | None, installation: str) -> bytes:
    """What a receiver is told: the command as it was asked, and its envelope, to check the signature for itself."""
    found: dict[str, Any] = {"kind": KIND, "installation": installation, **waiting_table(waiting, lacking)}
    return msgspec.json.encode({**found, "envelope": waiting.envelope.to_bytes().decode()})


@dataclass(slots=True)
class Telling:
    """Tells a route of what waits, each command once, again and again until it is taken.

    Attributes:
        route: where to.
        post: sends a request and gives the status.
        failed: hears of each attempt that failed.
        rng: spreads retries.
    """

    route: Route
    post: Post
    failed: Callable[[str], None]
    rng: Random = field(default_factory=Random)
    _told: set[str] = field(default_factory=set)
    _failures: dict[str, int] = field(default_factory=dict)
    _due_s: dict[str, float] = field(default_factory=dict)

    def round(self, board: Board, now_s: float, deployment: str | None = None) -> int:
        """Tell what is due, and give how many commands were taken; what waits no more is dropped.

        Args:
            board: what waits.
            now_s: s since 1970.
            deployment: of which it tells; None for all.
        """
        waiting = {one.digest: one for one in board.desk.book if deployment in (None, one.command.deployment)}
        self._told &= waiting.keys()
        self._failures = {one: count for one, count in self._failures.items() if one in waiting}
        self._due_s = {one: due_s for one, due_s in self._due_s.items() if one in waiting}
        taken = 0
        for digest, one in waiting.items():
            if digest in self._told or self._due_s.get(digest, 0.0) > now_s:
                continue
            content = body(one, board.lacking(one, round(now_s * 1_000)), board.installation)
            if self._is_taken(digest, content, now_s):
                self._told.add(digest)
                taken += 1
        return taken

    def _is_taken(self, digest: str, content: bytes, now_s: float) -> bool:
        given = headers(digest, content, self.route.secret, int(now_s))
        try:
            status, text = self.post(self.route.url, content, given)
        except UnansweredError as error:
            status, text = 0, str(error)
        if 200 <= status < 300:  # noqa: PLR2004 - the class of HTTP that says yes
            return True
        failures = self._failures.get(digest, 0) + 1
        self._failures[digest] = failures
        self._due_s[digest] = now_s + pause_s(failures, self.rng)
        self.failed(f"{digest[:12]}: HTTP {status} {text}".rstrip())
        return False
