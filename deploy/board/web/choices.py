"""Choices: what can be picked above a dashboard, each variable knowing what was picked of those before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.deploy.board.web.asked import Asked, values

if TYPE_CHECKING:
    from driftline.deploy.board.panel import Dashboard, Variable
    from driftline.deploy.board.web.source import Source


async def choices(source: Source, board: Dashboard, asked: Asked) -> dict[str, Any]:
    """Give, for each variable, its choices and what is picked now; all of them where nothing was.

    Raises:
        NoFiguresError: as the source has it.
    """
    offered: dict[str, list[str]] = {}
    picked: dict[str, list[str]] = {}
    waiting = list(board.variables)
    while waiting:
        so_far = msgspec.structs.replace(asked, picked=picked)
        # Those that rest on nothing that is still to be picked are asked at once.
        ready = [variable for variable in waiting if set(variable.parameters) <= {"from", "to", *picked}]
        found = await asyncio.gather(
            *(source.rows(variable.sql, values(so_far, variable.parameters)) for variable in ready)
        )
        for variable, columns in zip(ready, found, strict=True):
            offered[variable.name] = columns["value"]
            wanted = asked.picked.get(variable.name, [])
            picked[variable.name] = _picked(variable, wanted, columns["value"])
        waiting = [variable for variable in waiting if variable not in ready]
    return {"choices": offered, "picked": picked}


def _picked(variable: Variable, wanted: list[str], offered: list[str]) -> list[str]:
    if wanted:
        return wanted if variable.many else wanted[:1]
    return offered if variable.many and variable.starts_with_all else offered[:1]
