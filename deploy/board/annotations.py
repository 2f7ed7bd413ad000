"""Annotations: what is marked over time on every dashboard of deployments: changes, and alerts that began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from driftline.deploy.board.panel import parameters_of


@dataclass(frozen=True)
class Annotation:
    """Events in time.

    Attributes:
        name: what they are called together.
        color: as Grafana names colours; the board has its own for it.
        sql: gives `time`, a sentence `text` and a word `tags`, ordered by time.
    """

    name: str
    color: str
    sql: str

    @property
    def parameters(self) -> dict[str, str]:
        """Give the parameters of the statement, each with its type."""
        return parameters_of(self.sql)


ANNOTATIONS: Final = (
    Annotation(
        "Changes",
        "blue",
        """
SELECT decided_at AS time, concat(op, ' ', model_version, ' by ', actor) AS text, op AS tags
FROM audit
WHERE deployment IN {deployment:Array(String)} AND event = 'effective'
    AND decided_at >= {from:DateTime64(3, 'UTC')} AND decided_at < {to:DateTime64(3, 'UTC')}
ORDER BY time
LIMIT 500
""",
    ),
    Annotation(
        "Alerts",
        "red",
        """
SELECT assumeNotNull(window_start) AS time, concat(severity, ': ', about, ' ', name, '. ', reason) AS text,
    state AS tags
FROM alerts FINAL
WHERE deployment IN {deployment:Array(String)} AND state = 'firing' AND window_start IS NOT NULL
    AND window_start >= {from:DateTime64(3, 'UTC')} AND window_start < {to:DateTime64(3, 'UTC')}
ORDER BY time
LIMIT 500
""",
    ),
)
