"""Drafts: commands as they are before somebody signs them."""

from __future__ import annotations

import math
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.control import shape
from driftline.deploy.control.errors import AskingError
from driftline.schemas.control.command import LONGEST_MS, Command, Op, Plan, Step
from driftline.schemas.ids import RANDOM_BYTES_PER_ID, new_ids

if TYPE_CHECKING:
    from collections.abc import Callable

NONCE_BYTES: Final = 16
ALL: Final = 10_000
"""The weight of all callers, in hundredths of a per cent."""
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_STEP: Final = re.compile(r"(?P<weight>\d+(\.\d{1,2})?)%(:(?P<bake>[^:]+)(:(?P<rows>\d+))?)?")


def drafted(op: Op, audience: str, *, now_ms: int, chance: Callable[[int], bytes], **fields: Any) -> Command:  # noqa: ANN401 - fields of Command
    """Build a command that may be admitted for as long as any may.

    Args:
        op: what is asked.
        audience: id of the installation.
        now_ms: ms since 1970.
        chance: gives so many random bytes.
        fields: of Command.

    Raises:
        AskingError: a field is not allowed, or one that the op needs is lacking.
    """
    whole = {
        "op": op,
        "command_id": str(uuid.UUID(bytes=new_ids(1, now_ms, chance(RANDOM_BYTES_PER_ID)))),
        "audience": audience,
        "issued_at_ms": now_ms,
        "expires_at_ms": now_ms + LONGEST_MS,
        "nonce": chance(NONCE_BYTES).hex(),
        **{name: msgspec.to_builtins(value) for name, value in fields.items() if value is not None},
    }
    try:
        command = msgspec.convert(whole, type=Command)
    except msgspec.ValidationError as error:
        raise AskingError(f"this {op} cannot be asked: {error}") from error
    wrong = shape.fault(command)
    if wrong is not None:
        raise AskingError(f"this {op} cannot be asked: {wrong}")
    return command


def seconds(text: str) -> float:
    """A span of time as people write it: 90s, 15m, 2h, 1d.

    >>> seconds("15m"), seconds("0.5h"), seconds("90")
    (900.0, 1800.0, 90.0)

    Raises:
        AskingError: it is none.
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    try:
        found = float(number) * _UNITS[unit]
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise AskingError(f"{text!r} is no span of time; 90s, 15m, 2h or 1d are")
    return found


def step(text: str) -> Step:
    """A step of a rollout as people write it: the share of callers, how long at least, how many rows at least.

    >>> step("5%:10m:500")
    Step(weight=500, bake_s=600.0, min_rows=500)

    Raises:
        AskingError: it is none.
    """
    found = _STEP.fullmatch(text)
    weight = round(float(found["weight"]) * 100) if found is not None else -1
    if found is None or not 0 < weight <= ALL:
        raise AskingError(
            f"{text!r} is no step; SHARE%, SHARE%:TIME or SHARE%:TIME:ROWS are, as in 5%:10m:500"
        )
    bake_s = seconds(found["bake"]) if found["bake"] else 0.0
    return Step(weight=weight, bake_s=bake_s, min_rows=int(found["rows"] or 0))


def plan(**fields: Any) -> Plan | None:  # noqa: ANN401 - fields of Plan
    """A plan of what was said, spans of time as people write them; None when nothing was.

    Raises:
        AskingError: a value is not allowed.
    """
    said = {name: value for name, value in fields.items() if value not in (None, ())}
    spans = {name: seconds(value) for name, value in said.items() if isinstance(value, str)}
    given = {name: msgspec.to_builtins(value) for name, value in {**said, **spans}.items()}
    try:
        return msgspec.convert(given, type=Plan) if given else None
    except msgspec.ValidationError as error:
        raise AskingError(f"this plan is not allowed: {error}") from error
