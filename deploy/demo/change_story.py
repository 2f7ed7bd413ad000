"""How the second half is told to a stranger: who may change what serves, what it cost callers, and the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.text import Text

from driftline.deploy.advice.view import short
from driftline.deploy.demo.story import plain_table

if TYPE_CHECKING:
    from rich.console import RenderableType

Facts = Mapping[str, Any]
SHOWN: Final = {"log_loss": "log loss", "auc": "AUC"}


def change_part(summary: Facts) -> RenderableType:
    """What was changed, under which load, whether it was better, and what the audit proves."""
    told = summary["change"]
    return Group(
        _load(summary),
        Text(""),
        comparison_part(told["comparison"]),
        Text(""),
        _back(told),
        Text(""),
        audit_part(summary["audit"], told["promotion"]),
    )


def _load(summary: Facts) -> Text:
    told = summary["change"]
    by = ", ".join(f"{count:,} by version {name}" for name, count in told["answered"].items())
    return Text.assemble(
        ("Changed while it serves. ", "bold"),
        f"A departure board asked for July's flights over HTTP without a pause: {summary['requests']:,} requests, "
        f"{summary['failed_requests']:,} failed, {by}. Meanwhile what answers or is asked was changed "
        f"{summary['swaps']:,} times. Version 2 is version 1 trained again on January to June, by a command that the "
        "advice on July started; nobody could put it to work alone. It was validated by another person, asked as a "
        "shadow, answered half of the board as a canary, and two people approved its promotion.",
    )


def comparison_part(compared: Facts) -> RenderableType:
    """Both versions on the same flights: their figures, and what the second is better by."""
    view = plain_table(
        f"Was it better? Both on the same {compared['rows']:,} flights",
        ("", "version 1", "version 2", "better by, 95 % interval over days"),
    )
    sure: list[str] = []
    unsure: list[str] = []
    for name, words in SHOWN.items():
        one = compared["figures"][name]
        view.add_row(
            words,
            f"{one['first']:.3f}",
            f"{one['second']:.3f}",
            f"{short(one['gain'])}{_interval(one)}",
        )
        (sure if one["low"] is not None and one["low"] > 0 else unsure).append(words)
    said = (
        f"From {compared['since']} to the end of July version 1 was asked as a shadow of version 2: the same flights, "
        "so what makes a day hard is hard for both."
    )
    if sure:
        said += f" In {' and '.join(sure)} the whole interval lies above 0: it is better."
    if unsure:
        said += (
            f" In {' and '.join(unsure)} it is better on these flights, and days differ so much that other weeks might "
            "say otherwise."
        )
    return Group(view, Text(said))


def _interval(one: Facts) -> str:
    return "" if one["low"] is None else f" ({short(one['low'])} to {short(one['high'])})"


def _back(told: Facts) -> Text:
    bad = [one for one in told["back"]["checks"] if one["detail"].startswith("worse")]
    why = "; ".join(f"{one['name']}: {one['detail'].removeprefix('worse: ')}" for one in bad)
    return Text.assemble(
        ("A bad version is taken back by itself. ", "bold"),
        "An operator broke the glass for version 3, whose label had been turned round by mistake: it was a shadow and "
        "a canary for a moment, and nobody approved its promotion. Its first days were held against those of version "
        f"2 ({why}), and the controller went back to version 2, which was still loaded. That the glass was broken "
        "stands in the audit.",
    )


def audit_part(audit: Facts, promotion: Facts) -> Text:
    """What the audit holds, and what became of the copy that was changed."""
    return Text.assemble(
        ("Who did it, and can that be rewritten? ", "bold"),
        f"The audit has {audit['records']:,} records; {audit['verified']:,} of them, with {audit['signatures']:,} "
        f"signatures, are verified as they were written, and a witness with a store of its own had signed the first "
        f"{audit['witnessed']:,} by then. Record {promotion['seq']} says that {promotion['asked']} "
        f"asked for version 2 and that {' and '.join(promotion['approvers'])} approved. In a copy one letter of that "
        f"was changed: verification stops at record {audit['tampered_found_at']}.",
    )
