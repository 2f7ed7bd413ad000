"""Choice: whether an advice starts a command. Pure: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.agents.retrain.commands import Commands, Entry
    from driftline.agents.retrain.memory import Memory
    from driftline.schemas.advice import Advice

_MS = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do: `entry`, called `name`, or nothing for a reason in words."""

    name: str
    entry: Entry | None
    reason: str = ""


def choose(advice: Advice, commands: Commands, memory: Memory, now_ms: int) -> Choice | None:
    """Decide on an advice; None for one that asks for nothing, was answered, or that this process is not for."""
    found = commands.of(advice.deployment)
    if found is None or advice.advice != "retrain" or advice.slot != "champion" or not advice.id:
        return None
    if memory.is_answered(advice.id):
        return None
    name, entry = found
    age_s = (now_ms - advice.made_at_ms) / _MS
    if age_s > commands.max_age_s:
        return Choice(
            name, None, f"it was made {age_s:,.0f} s ago, and {commands.max_age_s:,.0f} are allowed"
        )
    started_ms = memory.started_ms(advice.deployment)
    if started_ms is not None and now_ms - started_ms < entry.cooldown_s * _MS:
        left_s = entry.cooldown_s - (now_ms - started_ms) / _MS
        return Choice(
            name, None, f"the last run began less than {entry.cooldown_s:,.0f} s ago; {left_s:,.0f} are left"
        )
    return Choice(name, entry)
