"""A profile as a person reads it: what it holds, over which time, and what windows it was given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from driftline.deploy.tables.positive_class import positive_class_of
from driftline.deploy.tables.resolutions import MINIMUM_ROWS
from driftline.streams.windows.splits import SEGMENTS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from driftline.deploy.tables.resolutions import WindowCount
    from driftline.deploy.tables.roles import ColumnPlan
    from driftline.schemas.profile import Profile
    from driftline.schemas.profile_column import ProfileColumn

LEVELS_SHOWN = 6
FEW_WINDOWS = 20
"""Reference windows below which the reference's own variation is not known (docs/statistics.md)."""


def profile_view(
    profile: Profile, windows: WindowCount | None = None, left_out: Sequence[ColumnPlan] = ()
) -> RenderableType:
    """Lay out a profile.

    Args:
        profile: the profile.
        windows: rows per window of the table it was built from, when that is at hand.
        left_out: columns of the table that took no part, whose reasons were shown with the guess.

    """
    lines: list[RenderableType] = [_head(profile), Text(""), _columns(profile.columns), Text("")]
    positive = positive_class_of(profile)
    if positive is not None:
        area = "" if positive.auc is None else f", AUC of the reference {positive.auc:.3f}"
        lines.append(
            Text.assemble(("Positive class: ", "bold"), f"{positive.name} (not {positive.other}){area}")
        )
    lines.append(_windows(profile, windows))
    if left_out:
        lines.append(
            Text(f"Left out, for the reasons above: {', '.join(one.name for one in left_out)}.", "dim")
        )
    lines += [Text(warning, "yellow") for warning in _warnings(profile)]
    return Group(*lines)


def profile_facts(profile: Profile) -> dict[str, object]:
    """Give the same for programs (`--json`)."""
    positive = positive_class_of(profile)
    return {
        "deployment": profile.deployment,
        "model_version": profile.model_version,
        "digest": profile.digest(),
        "rows": profile.rows,
        "scores": profile.provenance,
        "positive_class": None if positive is None else positive.name,
        "auc": None if positive is None else positive.auc,
        "start": _time(profile.start_ms),
        "end": _time(profile.end_ms),
        "resolutions": list(profile.resolutions),
        "columns": [
            {"name": one.name, "role": one.role, "kind": one.kind, "dtype": one.dtype, "bins": one.psi_bins}
            for one in profile.columns
        ],
    }


def _head(profile: Profile) -> Text:
    span = "without times"
    if profile.start_ms is not None:
        span = f"{_time(profile.start_ms)} to {_time(profile.end_ms)}"
    return Text.assemble(
        (f"{profile.deployment} {profile.model_version}", "bold"),
        f": {profile.rows:,} rows, {span}, digest {profile.digest()[:12]}",
    )


def _columns(columns: Sequence[ProfileColumn]) -> Table:
    view = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("column", "role", "kind", "reference"):
        view.add_column(name)
    for one in columns:
        if one.role == "status" and not one.counts.any():
            continue
        kind = f"{one.kind} ({one.dtype})" if one.kind == "numeric" else one.kind
        view.add_row(Text(one.name), Text(one.role), Text(kind), Text(_reference(one)))
    return view


def _reference(one: ProfileColumn) -> str:
    missing = one.nulls + one.nan
    gaps = f", {missing:,} without a value" if missing else ""
    if one.kind == "numeric":
        if one.minimum is None:
            return "no value" + gaps
        return f"{one.minimum:.6g} to {one.maximum:.6g}, mean {one.mean:.6g}, {one.psi_bins} bins{gaps}"
    shown = ", ".join(one.levels[:LEVELS_SHOWN])
    more = len(one.levels) - LEVELS_SHOWN
    rare = f", {_rest(one)} rarer ones together" if len(one.rest) else ""
    return f"{len(one.levels)} levels: {shown}{f' and {more} more' if more > 0 else ''}{rare}{gaps}"


def _rest(one: ProfileColumn) -> str:
    """Say how many levels have no bin of their own."""
    return f"{'' if one.rest_complete else 'more than '}{len(one.rest):,}"


def _windows(profile: Profile, windows: WindowCount | None) -> Text:
    text = Text("Windows: ", "bold")
    text.append(", ".join(profile.resolutions), "")
    if windows is not None and windows.first_ms is not None:
        for name in ("5m", "1h", "1d"):
            of, judged = windows.windows(name), windows.judged(name)
            chosen = "counted" if name in profile.resolutions else "not counted"
            text.append(
                f"\n  {name}: {judged:,} of {of:,} reference windows reach {MINIMUM_ROWS} rows; {chosen}",
                "dim",
            )
    return text


def _warnings(profile: Profile) -> list[str]:
    segments = [one for one in profile.columns if one.role == "segment"]
    found = [
        f"Segment {one.name!r} has {_rest(one)} values beside its {len(one.levels)} most frequent: they stand together "
        "as 'other'."
        for one in segments
        if len(one.rest)
    ]
    if len(segments) > SEGMENTS_MAX:
        found.append(
            f"Of {len(segments)} segments the first {SEGMENTS_MAX} are told apart: leave those out by a mapping that "
            "matter less."
        )
    days = len(profile.day_starts_ms)
    if profile.start_ms is None:
        found.append(
            "The reference has no times, so its own variation is not known: drift alone will never be "
            "more than a warning."
        )
    elif days < FEW_WINDOWS:
        found.append(
            f"The reference spans {days} days with rows; under {FEW_WINDOWS} its own variation is not "
            "known, and drift "
            "alone will never be more than a warning: build from a longer time if you can."
        )
    if profile.provenance == "in-sample":
        found.append(
            "The scores come from rows the model learnt from: what it answers is not compared "
            "(inconclusive). "
            "Score held-out rows and say --scores held-out."
        )
    return found


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}Z"
