"""How the demo speaks to a stranger: month by month what drifted, what that means, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from driftline.deploy.demo.change_story import change_part
from driftline.deploy.demo.story import advice_part, alerts_part, fairness_part, month_name, plain_table

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

Month = Mapping[str, Mapping[str, Any]]
"""Feature -> what was found of it in one month."""

STYLES = {"fail": "bold red", "warn": "yellow", "ok": "green", "inconclusive": "cyan"}
# Nothing rests on colour alone.
WORDS = {"fail": "FAIL", "warn": "warn", "ok": "", "inconclusive": "?"}
DRIFTED = ("fail", "warn")
REFERENCE_MONTHS = ("2013-01", "2013-02")
LARGE_MISS = 0.05
"""By how much an estimate may be too good before it is marked."""
FAIRNESS_MONTH = "2013-07"


def show(console: Console, summary: Mapping[str, Any], *, keep: bool, folder: str) -> None:
    """Print the whole result.

    Args:
        console: where to; a command that is wider stays in one line.
        summary: as `run_demo` returns it.
        keep: whether the stack was left running.
        folder: where the summary lies, as a person would type it.

    """
    drift = summary["drift"]
    parts: list[RenderableType] = [month_table(drift), Text(""), _reading(drift), Text("")]
    parts += [_drift_is_not_failure(summary["model"]), Text("")]
    parts += [truth_table(summary["performance"]), Text("")]
    parts += [estimate_table(summary["performance"], summary["estimated"]), Text(""), _misses(), Text("")]
    parts += [advice_part(summary["advice"]), Text("")]
    if FAIRNESS_MONTH in summary["fairness"]:
        parts += [fairness_part(summary["fairness"], FAIRNESS_MONTH), Text("")]
    parts += [alerts_part(summary["alerts"]), Text("")]
    parts += [change_part(summary), Text("")]
    parts += [_books(summary), Text("")]
    after = _next(summary["audit"]["genesis"], keep=keep, folder=folder)
    console.print(Group(*parts, after), crop=False)


def month_table(drift: Mapping[str, Month]) -> Table:
    """One line a month, one column a feature that drifted in some month, and the score."""
    names = [*drifted(drift), *_scores(drift)]
    title = "PSI by month (UTC) against January and February, with its verdict"
    view = plain_table(title, ("month", "events", *names), ("events",))
    for month in sorted(drift):
        cells = drift[month]
        rows = max(cell["rows"] for cell in cells.values())
        view.add_row(month_name(month), f"{rows:,}", *(_cell(cells.get(name)) for name in names))
    return view


def truth_table(performance: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line a month: how the model did on the flights that have landed, with 95 % intervals over days."""
    title = "What became of the flights: how the model did, with 95 % intervals"
    view = plain_table(title, ("month", "landed", "accuracy", "AUC", "log loss"), ("landed",))
    for month, found in sorted(performance.items()):
        cells = (_figure(found, name) for name in ("accuracy", "auc", "log_loss"))
        coverage = found["coverage"]
        view.add_row(month_name(month), "" if coverage is None else f"{100 * coverage:.1f}%", *cells)
    return view


def estimate_table(
    performance: Mapping[str, Mapping[str, Any]], estimated: Mapping[str, Mapping[str, Any]]
) -> Table:
    """One line a month after the reference: what scores alone said, what was true, and by how much they missed."""
    columns = ("month", "accuracy", "true", "miss", "", "AUC", "true", "miss")
    view = plain_table(
        "What the scores alone said, what was true, and the miss", columns, set(columns) - {"month", ""}
    )
    for month in sorted(estimated):
        if month in REFERENCE_MONTHS or not performance.get(month, {}).get("coverage"):
            continue
        cells: list[Text] = []
        for metric in ("accuracy", "auc"):
            said, true = (of[month].get(metric) for of in (estimated, performance))
            cells += _missed(said, true)
            cells.append(Text(""))
        view.add_row(month_name(month), *cells[:-1])
    return view


def _missed(said: float | None, true: float | None) -> list[Text]:
    if said is None or true is None:
        return [Text("?", style=STYLES["inconclusive"])] * 3
    style = "bold red" if said - true > LARGE_MISS else ""
    return [Text(f"{said:.3f}"), Text(f"{true:.3f}"), Text(f"{said - true:+.3f}", style)]


def _misses() -> Text:
    return Text.assemble(
        ("An estimate sees a changed mix of inputs, ", "bold"),
        "never a changed relation between inputs and truth. In April it promised a better month than March and the "
        "model did worse: the same weather and the same airlines were late for other reasons. That is concept "
        "drift, and only labels show it.",
    )


def _figure(found: Mapping[str, Any], metric: str) -> Text:
    value = found.get(metric)
    if value is None:
        return Text("?", style=STYLES["inconclusive"])
    text, ends = Text(f"{value:.2f}"), found["intervals"][metric]
    if ends["low"] is not None and ends["interval"] != "bounds":
        text.append(f" ({ends['low']:.2f} to {ends['high']:.2f})", style="dim")
    return text


def drifted(drift: Mapping[str, Month]) -> list[str]:
    """Give the features that failed or warned in some month, those that failed most often first."""
    often: dict[str, tuple[int, int]] = {}
    for cells in drift.values():
        for name, cell in cells.items():
            if cell["kind"] == "drift" and cell["verdict"] in DRIFTED:
                fails, warns = often.get(name, (0, 0))
                often[name] = (fails + (cell["verdict"] == "fail"), warns + 1)
    return sorted(often, key=lambda name: (-often[name][0], -often[name][1], name))


def _scores(drift: Mapping[str, Month]) -> list[str]:
    return sorted(
        {name for cells in drift.values() for name, cell in cells.items() if cell["kind"] != "drift"}
    )


def _cell(cell: Mapping[str, Any] | None) -> Text:
    if cell is None:
        return Text("-", "dim")
    number = "" if cell["psi"] is None or cell["verdict"] == "inconclusive" else f"{cell['psi']:.2f} "
    return Text(number + WORDS[cell["verdict"]], STYLES[cell["verdict"]])


def _reading(drift: Mapping[str, Month]) -> Group:
    """Say in words what the table shows, and what it leaves out."""
    lines = [
        Text(
            "A feature FAILS only when its shift is larger than chance, larger than an effect worth a "
            "look (PSI 0.25; "
            "0.1 to warn), and larger than what this very stream does by itself: winter weather moves too."
        )
    ]
    failing: dict[str, list[str]] = {}
    for month in sorted(drift):
        for name, cell in drift[month].items():
            if cell["verdict"] == "fail":
                failing.setdefault(name, []).append(month_name(month)[:3])
    if failing:
        said = "; ".join(f"{name} in {', '.join(months)}" for name, months in failing.items())
        lines.append(Text.assemble(("Drifted: ", "bold"), said, "."))
    else:
        lines.append(Text("Nothing drifted beyond what this stream does by itself."))
    shown = {*drifted(drift), *_scores(drift)}
    calm = sorted({name for cells in drift.values() for name in cells} - shown)
    if calm:
        lines.append(Text.assemble(("Never drifted: ", "bold"), ", ".join(calm), "."))
    few = [
        month for month in sorted(drift) if all(c["verdict"] == "inconclusive" for c in drift[month].values())
    ]
    if few:
        rows = max(cell["rows"] for cell in drift[few[0]].values())
        lines.append(
            Text(
                f"? {month_name(few[0])} has {rows} events, too few for a verdict: no data is no verdict.",
                "cyan",
            )
        )
    return Group(*lines)


def _drift_is_not_failure(model: Mapping[str, Any]) -> Text:
    return Text.assemble(
        ("Drift is not failure. ", "bold"),
        "It says that the model now answers for inputs it has not learnt from, not that its answers "
        "are wrong: that "
        "takes labels, and whether a refit helps takes a comparison. (Its AUC is "
        f"{model['auc_out_of_fold']:.2f} on days it had not seen; {model['auc_in_sample']:.2f} on the "
        "rows it learnt "
        "from, which says nothing.)",
    )


def _books(summary: Mapping[str, Any]) -> Text:
    book, seconds = summary["emitter"], summary["seconds"]
    rate = summary["events_emitted"] / max(seconds["emit"], 0.01)
    return Text(
        f"{summary['events_emitted']:,} events emitted, {book['delivered']:,} delivered to Kafka, "
        f"{summary['events_in_clickhouse']:,} in ClickHouse, {summary['dead_letters']:,} dead letters, "
        f"{summary['windows']:,} windows, in {seconds['total']:.0f} s; {rate:,.0f} events/s while emitting."
    )


def _next(genesis: str, *, keep: bool, folder: str) -> Group:
    if keep:
        here = f"DRIFTLINE_LOCAL_DATA_DIR={folder}"
        commands = [
            ("the stack was left running; to reach it", f"export {here}"),
            ("the same verdicts from the command line", "driftline windows flights --resolution 1M"),
            ("the same as a page, under Time (UTC) from 2013 to 2014", "driftline board"),
            ("every figure, for programs", "driftline windows flights --feature temp --json"),
            ("what fired, and what fires", "driftline alerts flights"),
            ("what to do about it", f"driftline advice flights --candidate {folder}/refit.parquet"),
            ("who changed what serves, and who approved", f"export DRIFTLINE_CONTROL_GENESIS={genesis}"),
            ("", "driftline history flights-live"),
            ("was that record touched", "driftline audit verify --signatures"),
            ("what runs, where, and how far it is", "driftline status"),
            ("stop it", "driftline down"),
        ]
    else:
        commands = [
            ("the same, with the stack left up to look around", "driftline demo --keep"),
            ("a stack of your own", "driftline up --detach"),
            ("the reference of your model", "driftline profile build my.parquet --deployment D --version 1"),
            ("", "driftline profile publish --deployment D --version 1"),
            (
                "your own rows, and what drifted in them",
                "driftline emit new.parquet --deployment D --version 1",
            ),
            ("", "driftline windows D"),
        ]
    lines = [Text("Next", "bold")]
    for what, words in commands:
        if what:
            lines.append(Text(f"  {what}:"))
        # A command of two lines cannot be pasted.
        lines.append(Text(f"    {words}", "cyan", no_wrap=True, overflow="ignore"))
    return Group(*lines, Text(f"  {folder}/summary.json holds all of this for programs."))
