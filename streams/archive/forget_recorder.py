"""Forget recorder: writes down what is to be forgotten, as far as somebody who can judge it believes the audit.

The archive itself judges no signature. Whoever starts it brings a follower that does, or none: then nothing is obeyed.
What was written down stays: it was believed when it was written.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from driftline.schemas.errors import DriftlineError
from driftline.streams.clickhouse import forgotten
from driftline.streams.clickhouse.errors import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.forgets import Forget, Heard, Mark
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.metrics import ArchiveMetrics

logger = logging.getLogger(__name__)

READ_SECONDS: Final = 5.0
"""How long the audit is read at a time: a long one is caught up with over several looks."""


class Follower(Protocol):
    """Who follows the audit and judges what it asks."""

    def read(self, seconds: float) -> Heard:
        """Read on to the end, at most for a time; raises DriftlineError when Kafka cannot be read."""

    def close(self) -> None:
        """Follow no more."""


Follow: TypeAlias = "Callable[[Mark | None], Follower]"
"""Begins to follow the audit from its first record, given how far it was followed before."""


class ForgetRecorder:
    """One archive's; for one thread.

    Args:
        genesis: pinned digest of record 0; empty where nothing is under control.
        follow: makes a follower; None where nobody judges.
        metrics: where to count what is not believed.
    """

    def __init__(self, genesis: str, follow: Follow | None, metrics: ArchiveMetrics) -> None:
        self._genesis, self._follow, self._metrics = genesis, follow, metrics
        self._follower: Follower | None = None
        self._known: set[tuple[int, str, str]] = set()
        self._waiting: list[Forget] = []
        self._mark: Mark | None = None
        self._said = ""

    def look(self, client: Client) -> bool:
        """Read on, and write down what is new; a follower that cannot read begins anew the next time.

        Returns:
            Whether the audit could be read.

        Raises:
            ClickHouseError: the server is away or refuses; call again.
        """
        try:
            if self._follow is None:
                self._tell_of_none(client)
                return True
            heard = self._begun(client, self._follow).read(READ_SECONDS)
        except ClickHouseError:
            raise
        except DriftlineError as error:
            self._say(f"what is to be forgotten waits: {error}")
            self.close()
            return False
        self._tell(heard)
        self._waiting += [one for one in heard.forgets if _key(one) not in self._known]
        if self._waiting:
            forgotten.write(client, self._waiting)
            self._known.update(map(_key, self._waiting))
            logger.info("%d predictions are to be forgotten, as the audit says", len(self._waiting))
            self._waiting.clear()
        if heard.mark is not None and heard.mark != self._mark:
            # After what it stands for: whoever starts anew from it finds that written.
            forgotten.keep_mark(client, self._genesis, heard.mark)
            self._mark = heard.mark
        return True

    def close(self) -> None:
        """Follow no more."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()

    def _begun(self, client: Client, follow: Follow) -> Follower:
        if self._follower is None:
            self._mark = forgotten.mark(client, self._genesis)
            self._known, self._waiting = forgotten.known(client), []
            self._follower = follow(self._mark)
        return self._follower

    def _tell(self, heard: Heard) -> None:
        for kind, count in heard.refused.items():
            self._metrics.unbelieved.labels(kind).inc(count)
        if heard.refused:
            logger.warning(
                "%d records of the audit are not obeyed, the first of them because %s",
                sum(heard.refused.values()),
                heard.why,
            )
        self._metrics.doubts.set(heard.doubt is not None)
        if heard.doubt is None:
            self._said = ""
        else:
            self._say(
                f"nothing new is forgotten: {heard.doubt}; run 'driftline audit verify', and if you put it back, "
                "empty the table audit_followed and start the archive again"
            )

    def _tell_of_none(self, client: Client) -> None:
        """Say once that nothing is obeyed, where something asks."""
        if not self._said and forgotten.is_asked(client):
            self._say(
                "the audit asks to forget, and this archive obeys nothing: set DRIFTLINE_CONTROL_GENESIS to what "
                "'driftline trust init' printed, and start it again"
            )

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            logger.warning("%s", sentence)
            self._said = sentence


def _key(one: Forget) -> tuple[int, str, str]:
    return one.seq, one.deployment, one.target
