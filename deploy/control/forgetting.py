"""Following for the archive: the audit is read from its first record on, and what asks to forget is judged.

Nothing of it is kept here: a start reads the audit again, and the archive says how far it was followed before.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.topic import Reader
from driftline.agents.control.forgets import Forgets, kind_of
from driftline.schemas.forgets import Heard

if TYPE_CHECKING:
    from driftline.schemas.forgets import Doubted, Forget, Mark
    from driftline.schemas.settings import Settings

logger = logging.getLogger(__name__)

POLL_S: Final = 0.2


class Following:
    """One reader of the audit, for one thread.

    Args:
        settings: where the broker is, and which genesis is pinned.
        mark: how far the audit was followed before.

    Raises:
        AuditError: Kafka does not answer, or there is no audit.
    """

    def __init__(self, settings: Settings, mark: Mark | None) -> None:
        self._forgets = Forgets(settings.control.genesis, mark)
        self._reader = Reader(settings.kafka)

    def read(self, seconds: float) -> Heard:
        """Read on to the end, at most for a time.

        Raises:
            AuditError: Kafka cannot be read.
        """
        until_s = time.monotonic() + seconds
        found: list[Forget] = []
        refused: Counter[Doubted] = Counter()
        first = ""
        while time.monotonic() < until_s:
            values = self._reader.read(POLL_S)
            for data in values:
                try:
                    found += self._forgets.hear(data)
                except AuditError as error:
                    kind, why = kind_of(error)
                except Exception as error:  # a fault of ours must neither end the reading nor obey the record
                    logger.exception("a record of the audit could not be judged")
                    kind, why = "forget", f"a record could not be judged: {type(error).__name__}"
                else:
                    continue
                refused[kind] += 1
                first = first or why
            if not values and self._reader.is_at_end:
                break
        return Heard(
            forgets=tuple(found),
            refused=refused,
            why=first,
            doubt=self._forgets.doubt if self._reader.is_at_end else None,
            mark=self._forgets.mark,
        )

    def close(self) -> None:
        """Leave the topic."""
        self._reader.close()
