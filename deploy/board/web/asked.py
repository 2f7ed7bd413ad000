"""Asked: what a browser wants to see, checked; it names panels and picks values, and never sends SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from driftline.deploy.board.panel import PARAMETERS
from driftline.deploy.board.web.errors import NoFiguresError, Trouble

BODY_BYTES: Final = 1 << 20
_VALUES: Final = 1_000
_LETTERS: Final = 1_000
# What a DateTime64 of ClickHouse can say with room to spare: 1970 to 2200.
_LAST_MS: Final = 7_258_118_400_000

_PICKED: Final = tuple(name for name in PARAMETERS if name not in ("from", "to"))

Value = Annotated[str, msgspec.Meta(max_length=_LETTERS)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=_LAST_MS)]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One look at a dashboard.

    Attributes:
        begin_ms: begin of the time shown, ms since the epoch.
        end_ms: its end, exclusive.
        picked: variable → what is picked of it.
    """

    begin_ms: Ms = msgspec.field(name="from")
    end_ms: Ms = msgspec.field(name="to")
    picked: dict[str, Annotated[list[Value], msgspec.Meta(max_length=_VALUES)]] = {}


_DECODER: Final = msgspec.json.Decoder(Asked)


def read(body: bytes) -> Asked:
    """Read what was asked.

    Raises:
        NoFiguresError: it is no such question.
    """
    try:
        asked = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoFiguresError(
            Trouble.ASKED,
            f"the request is no question of the board ({error}): send from and to in ms and picked as lists",
        ) from None
    if asked.begin_ms >= asked.end_ms:
        raise NoFiguresError(
            Trouble.ASKED,
            f"the time shown ends ({asked.end_ms}) where it begins ({asked.begin_ms}), or before: let it end later",
        )
    for name in sorted(set(asked.picked) - set(_PICKED)):
        raise NoFiguresError(
            Trouble.ASKED, f"nothing called {name[:100]!r} can be picked: pick {', '.join(_PICKED)}"
        )
    return asked


def values(asked: Asked, parameters: dict[str, str]) -> dict[str, str | list[str]]:
    """Give the values of a statement's parameters.

    Args:
        asked: what was picked.
        parameters: name → type, as the statement has them.

    Raises:
        NoFiguresError: one lacks, or several are picked where one can be.
    """
    return {name: _value(asked, name, kind) for name, kind in parameters.items()}


def _value(asked: Asked, name: str, kind: str) -> str | list[str]:
    if name == "from":
        return _time(asked.begin_ms)
    if name == "to":
        return _time(asked.end_ms)
    picked = asked.picked.get(name)
    if picked is None:
        raise NoFiguresError(Trouble.ASKED, f"this needs a {name}, and none is picked: pick one")
    if kind.startswith("Array"):
        return picked
    if len(picked) > 1:
        raise NoFiguresError(Trouble.ASKED, f"one {name} can be shown at a time, not {len(picked)}: pick one")
    return picked[0] if picked else ""


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
