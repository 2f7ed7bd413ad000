"""How the demo speaks to a stranger: month by month what drifted, what that means, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

STYLES = {"fail": "bold red", "warn": "yellow", "ok": "green", "inconclusive": "cyan"}
# Nothing rests on colour alone.
MARKS = {"fail": "!!", "warn": "! ", "ok": "  ", "inconclusive": "? "}
WORST = ("fail", "warn", "inconclusive", "ok")


def report(summary: Mapping[str, Any], *, keep: bool, folder: str) -> RenderableType:
    """Lay out the whole result."""
    return Group(
        _table(summary["drift"]), Text(""), _reading(summary), Text(""), _books(summary), *_next(keep, folder)
    )


def _table(drift: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """One line a feature, one column a month; features that never drifted are last."""
    months = sorted(drift)
    view = Table(
        title="PSI of each input and of the model's score, by month (UTC), against January and February",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    view.add_column("")
    for month in months:
        view.add_column(_month(month), justify="right", no_wrap=True)
    names = {name for month in months for name in drift[month]}

    def rank(name: str) -> tuple[int, float]:
        cells = [drift[month][name] for month in months if name in drift[month]]
        fails = sum(cell["verdict"] == "fail" for cell in cells)
        return -fails, -max((cell["psi"] or 0.0) for cell in cells)

    for name in sorted(names, key=rank):
        view.add_row(Text(name), *(_cell(drift[month].get(name)) for month in months))
    return view


def _cell(cell: Mapping[str, Any] | None) -> Text:
    if cell is None:
        return Text("-", "dim")
    verdict = cell["verdict"]
    number = "?" if cell["psi"] is None else f"{cell['psi']:.2f}"
    if verdict == "inconclusive":
        number = "-"
    return Text(number + MARKS[verdict], STYLES[verdict])


def _month(month: str) -> str:
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    year, number = month.split("-")
    return f"{names[int(number) - 1]}{'' if year == '2013' else ' ' + year[2:]} "


def _reading(summary: Mapping[str, Any]) -> Group:
    drift = summary["drift"]
    failing: dict[str, list[str]] = {}
    for month in sorted(drift):
        for name, cell in drift[month].items():
            if cell["verdict"] == "fail":
                failing.setdefault(name, []).append(_month(month).strip())
    lines = [
        Text.assemble(
            ("!! ", "bold red"),
            "fail    ",
            ("! ", "yellow"),
            "warn    ",
            ("?", "cyan"),
            " too few rows, no verdict",
        ),
        Text(
            "A figure fails only when it is larger than chance, larger than an effect worth a look "
            "(0.25), and larger "
            "than what this very stream does by itself within a season: winter weather moves too."
        ),
    ]
    if failing:
        said = "; ".join(f"{name} in {', '.join(months)}" for name, months in failing.items())
        lines.append(Text.assemble(("Drifted: ", "bold"), said + "."))
    else:
        lines.append(Text("Nothing drifted beyond what this stream does by itself."))
    model = summary["model"]
    lines.append(
        Text(
            "Drift is not failure: it says that the model now answers for inputs it has not learnt "
            "from, not that "
            "its answers are wrong. Whether they are takes labels, and whether a refit helps takes a "
            "comparison. "
            f"(This model's AUC is {model['auc_out_of_fold']:.2f} on days it has not seen, "
            f"{model['auc_in_sample']:.2f} on the rows it learnt: the second says nothing.)"
        )
    )
    return Group(*lines)


def _books(summary: Mapping[str, Any]) -> Text:
    book, seconds = summary["emitter"], summary["seconds"]
    return Text(
        f"{summary['events_emitted']:,} events emitted, {book['delivered']:,} delivered to Kafka, "
        f"{summary['events_in_clickhouse']:,} in ClickHouse, {summary['dead_letters']:,} dead letters, "
        f"{summary['windows']:,} windows; {seconds['total']:.0f} s, of which {seconds['emit']:.1f} s to emit "
        f"({summary['events_emitted'] / max(seconds['emit'], 0.01):,.0f} events/s)."
    )


def _next(keep: bool, folder: str) -> list[Text]:  # noqa: FBT001 - a fact, not a mode
    lines = [Text(""), Text("Next", "bold")]
    if keep:
        here = f"DRIFTLINE_LOCAL_DATA_DIR={folder} driftline"
        commands = [
            (f"{here} windows flights --feature temp", "the same verdicts from the command line"),
            (f"{here} windows flights --resolution 1M --json", "every figure, for programs"),
            (f"{here} status", "what runs, where, and how far it is"),
            (f"{here} down", "stop the stack; it was left running"),
        ]
    else:
        commands = [
            ("driftline demo --keep", "the same, and leave the stack up to look around"),
            ("driftline up --detach", "a stack of your own"),
            (
                "driftline profile build my.parquet --deployment D --version 1",
                "the reference of your own model",
            ),
            ("driftline emit my.parquet --deployment D --version 1", "send your own rows"),
            ("driftline windows D", "what drifted in them"),
        ]
    width = max(len(words) for words, _ in commands)
    lines += [Text.assemble("  ", (f"{words:<{width}}", "cyan"), f"  {what}") for words, what in commands]
    return [*lines, Text(f"  {folder}/summary.json holds all of this for programs.")]
