"""What came of it, for a stranger: who was told, whether to retrain, and for which airlines the model works."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from driftline.deploy.advice.view import short

if TYPE_CHECKING:
    from rich.console import RenderableType

Facts = Mapping[str, Any]

SHOWN: Final = 12
"""Alerts that have a line; the rest is counted."""
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SEVERITIES: Final = {"fail": ("FAIL", "bold red"), "warn": ("warn", "yellow")}
ADVICE: Final = {"retrain": "bold red", "watch": "yellow", "no need": "green"}
VERDICTS: Final = {"fail": ("FAIL", "bold red"), "ok": ("ok", "green"), "inconclusive": ("?", "cyan")}
RATES: Final = {"selection_rate": "said to be late", "tpr": "of the late, found"}
METRICS: Final = {"auc": "AUC", "log_loss": "loss"}
ENOUGH: Final = 100
"""Rows below which a group's rate is not named: its interval says nothing."""


def month_name(month: str) -> str:
    """Name a month as people do.

    >>> month_name("2013-07")
    'Jul 2013'
    """
    year, number = month.split("-")
    return f"{MONTHS[int(number) - 1]} {year}"


def plain_table(title: str, columns: Sequence[str], right: Collection[str] = ()) -> Table:
    """A table without lines, its title above it."""
    view = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for name in columns:
        view.add_column(name, justify="right" if name in right else "left", no_wrap=name != "because")
    return view


def alerts_part(alerts: Facts) -> RenderableType:
    """One line an alert, by what it is about and when it fired, and what the receivers heard."""
    view = plain_table("Alerts: who was told of what", ("alert", "of", "severity", "fired by", "resolved by"))
    for one in sorted(alerts["list"], key=_place)[:SHOWN]:
        word, style = SEVERITIES[one["severity"]]
        subject = " ".join(part for part in (_figure_name(one["name"]), one["segment"]) if part)
        view.add_row(
            one["about"],
            subject,
            Text(word, style),
            _window_name(one["fired_at"]),
            "still open" if one["resolved"] is None else _window_name(one["resolved"]),
        )
    more = len(alerts["list"]) - SHOWN
    received, through = alerts["received"], alerts["alertmanager"]
    said = (
        f"An alert fired, or grew worse, {alerts['fired']:,} times, and was resolved {alerts['resolved']:,} times. "
        f"The receiver on loopback heard {received['edges']:,} of {alerts['fired'] + alerts['resolved']:,}, each once "
        "and with a valid signature."
    )
    if through is not None:
        said += (
            f" Through a real Alertmanager came {through['firing']:,} that fire and {through['resolved']:,} "
            "that are resolved: it tells what is, so one that ends within its second may be left out."
        )
    else:
        said += " Alertmanager is not installed; where prometheus-alertmanager is, the demo tells it too."
    lines: list[RenderableType] = [view]
    if more > 0:
        lines.append(Text(f"and {more:,} more, in summary.json", "dim"))
    return Group(*lines, Text(said))


def _place(one: Facts) -> tuple[bool, bool, str]:
    """Put all rows before the values of segments, and what stands for most months, fairness, last."""
    return (one["about"] == "fairness", bool(one["segment"]), one["fired_at"])


def advice_part(advice: Mapping[str, Facts]) -> RenderableType:
    """One line a month: whether to retrain, how far performance fell, and what the refit would have gained."""
    view = plain_table(
        "Retrain? The model against itself trained again each quarter",
        ("month", "advice", "worse", "gain, 95 % interval", "because"),
    )
    for month, one in sorted(advice.items()):
        view.add_row(
            month_name(month),
            Text(one["advice"], ADVICE[one["advice"]]),
            _fell(one["fell"]),
            _gain(one["gain"]),
            one["reasons"][0],
        )
    said = (
        "Inputs drift for months, and that alone never leads to a refit. To retrain takes results that "
        "got worse, and a refit that is better on the same flights: its gain, above 0, lies there with its "
        "whole interval."
    )
    helped = [month for month, one in sorted(advice.items()) if one["advice"] == "retrain"]
    hard = [month for month, one in sorted(advice.items()) if one["reasons"][0] == "a refit does not help"]
    if helped:
        said += f" That is so in {_listed(helped)}."
    if hard:
        said += f" In {_listed(hard)} it was down too, and no refit is better beyond chance: hard days for any model."
    return Group(view, Text.assemble(("A fall is a question, the gain is the answer. ", "bold"), said))


def fairness_part(fairness: Mapping[str, Facts], month: str) -> RenderableType:
    """The airlines that fare worst and best by each rate in one month, and whether the criterion holds."""
    view = plain_table(
        f"For whom? By airline, {month_name(month)}, with 95 % intervals",
        ("flights", "lowest", "highest", "criterion"),
    )
    notes = []
    for rate, words in RATES.items():
        found = fairness[month][rate]
        known = {
            name: one
            for name, one in found["groups"].items()
            if one["value"] is not None and one["rows"] >= ENOUGH
        }
        if not known:
            continue
        ends = [pick(known, key=lambda name: known[name]["value"]) for pick in (min, max)]
        word, style = VERDICTS[found["verdict"]]
        cells = [f"{name} {_share(known[name])}" for name in ends]
        view.add_row(words, *cells, Text(word, style))
        notes.append(f"{found['criterion'].replace('_', ' ').capitalize()}: {found['reason']}")
    return Group(
        view,
        Text(
            f"{' '.join(notes)} Late flights of some airlines are found and those of others missed: one AUC for all "
            "does not tell. A criterion is a label on these figures, no judgement of what is right."
        ),
    )


def _share(one: Facts) -> str:
    ends = "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f})"
    return f"{one['value']:.2f}{ends}"


def _fell(fell: Facts | None) -> str:
    if fell is None:
        return ""
    name = METRICS.get(fell["metric"], fell["metric"])
    # Of losses it is a share of the reference, of the others a difference.
    return (
        f"{name} +{100 * fell['value']:.0f}%"
        if "loss" in fell["metric"]
        else f"{name} {short(-fell['value'])}"
    )


def _gain(gain: Facts | None) -> str:
    if gain is None:
        return "not known"
    ends = "" if gain["low"] is None else f" ({short(gain['low'])} to {short(gain['high'])})"
    return f"{METRICS.get(gain['metric'], gain['metric'])} {short(gain['value'])}{ends}"


def _figure_name(name: str) -> str:
    first, _, rest = name.partition(" ")
    return " ".join(part for part in ("AUC" if first == "auc" else first.replace("_", " "), rest) if part)


def _window_name(window: str) -> str:
    return month_name(window) if window.count("-") == 1 else window


def _listed(months: Sequence[str]) -> str:
    names = [month_name(month)[:3] for month in months]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
