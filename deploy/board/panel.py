"""Panel: a question, and the one statement of SQL that answers it; where it is drawn is somebody else's matter.

A statement takes its arguments as ClickHouse's own parameters, `{deployment:Array(String)}`; whoever draws it binds
them or writes what its own tool puts there. Nobody formats strings into SQL. What columns a kind of panel expects:

| kind | columns |
|---|---|
| SERIES | `time`, then string columns that name a line, then one number `value`; ordered by time |
| STATES | `time`, a string that names a row, `value` one of the codes of `VERDICT_CODES`; ordered by time |
| STAT | one row: each column is one number, shown under its name |
| TABLE | any columns |
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARAMETER: Final = re.compile(r"\{(\w+):([^}]+)\}")

PARAMETERS: Final[Mapping[str, str]] = {
    "from": "DateTime64(3, 'UTC')",
    "to": "DateTime64(3, 'UTC')",
    "deployment": "Array(String)",
    "version": "Array(String)",
    "resolution": "String",
    "feature": "String",
    "segment": "Array(String)",
}
"""Every parameter a panel may ask for, and its type: the time range shown, and what was picked."""

VERDICT_CODES: Final[Mapping[str, int]] = {"ok": 0, "inconclusive": 1, "warn": 2, "fail": 3}
"""Verdicts as numbers, worse is greater; no row at all is no data, which is none of them."""


def parameters_of(sql: str) -> dict[str, str]:
    """Give the parameters of a statement, each with the type it is asked for with."""
    return dict(_PARAMETER.findall(sql))


class Kind(Enum):
    """How a panel is drawn."""

    SERIES = "series"
    STATES = "states"
    STAT = "stat"
    TABLE = "table"


class Level(Enum):
    """What a value beyond a threshold means to the one who looks."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Threshold:
    """From this value on (None: from below all others) the level holds."""

    level: Level
    value: float | None = None


@dataclass(frozen=True)
class Panel:
    """One question and how it is answered.

    Attributes:
        title: a few words above it.
        question: what it answers, one sentence ending in a question mark.
        sql: the statement, with parameters of `PARAMETERS`.
        kind: how it is drawn, and so what columns `sql` gives.
        unit: of its numbers, as Grafana names units ("" without one).
        thresholds: levels by value, in rising order; none for numbers that no value makes bad.
        empty: what no row at all means, a sentence.
        width, height: in cells of a grid of 24.
        links: column of a table to the dashboard that a click on it opens.
    """

    title: str
    question: str
    sql: str
    kind: Kind
    empty: str
    unit: str = ""
    thresholds: tuple[Threshold, ...] = ()
    width: int = 12
    height: int = 8
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Give its name in addresses: its title in lower case, with hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    @property
    def parameters(self) -> dict[str, str]:
        """Give the parameters of the statement, each with the type it is asked for with."""
        return parameters_of(self.sql)


@dataclass(frozen=True)
class Variable:
    """What can be picked above a dashboard.

    Attributes:
        name: of the parameter that takes it.
        label: what stands before it.
        sql: gives one string column `value`, the choices, the first being picked at the start.
        many: several can be picked at once.
        starts_with_all: all are picked where nobody has picked, not the first alone; the board heeds it.
    """

    name: str
    label: str
    sql: str
    many: bool = True
    starts_with_all: bool = True

    @property
    def parameters(self) -> dict[str, str]:
        """Give the parameters of the statement, each with its type."""
        return parameters_of(self.sql)


@dataclass(frozen=True)
class Dashboard:
    """Panels that answer what one kind of person asks.

    Attributes:
        name: of its file and its address, lower case.
        title: what it is called.
        purpose: who asks what, one sentence.
        variables: what can be picked, in order; a later one may depend on an earlier one.
        panels: in reading order.
    """

    name: str
    title: str
    purpose: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]

    def runbook(self, panel: Panel, base: str) -> str:
        """Give the address of what is to be known and done about one of its panels.

        That is a section of the dashboard's page in docs/runbooks/panels/, as the site shows it (`make docs`).

        Args:
            panel: one of `panels`.
            base: where the pages of docs/runbooks/ are served.
        """
        return f"{base.rstrip('/')}/panels/{self.name}.html#{panel.name}"
