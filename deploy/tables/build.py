"""From a planned table to a profile: what `profile build` and the demo call."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.positive_class import check_positive_class
from driftline.deploy.tables.resolutions import WindowCount
from driftline.deploy.tables.rows import labelled_rows
from driftline.schemas.names import name_fault
from driftline.streams.join.reference_truth import reference_truth
from driftline.streams.windows.profiling import build_profile

if TYPE_CHECKING:
    from driftline.deploy.tables.plan import Planned
    from driftline.schemas.columns import LabelColumns
    from driftline.schemas.profile import Profile

SEED = 0
"""One seed for all: the same rows give the same profile, digest included, so publishing twice is harmless."""

CAP_BYTES = 4 << 30
"""Bytes of values a reference may have in memory: its quantiles are exact, so every value is held."""


@dataclass(frozen=True, slots=True)
class Built:
    """A profile and the windows of the table it was built from."""

    profile: Profile
    windows: WindowCount


def build_from_table(
    planned: Planned,
    deployment: str,
    version: str,
    *,
    provenance: str | None = None,
    resolutions: tuple[str, ...] | None = None,
    threshold: float | None = None,
    positive_class: str | None = None,
) -> Built:
    """Build a profile.

    Args:
        planned: the table.
        deployment: name of the deployment.
        version: model version.
        provenance: where the scores come from; None takes them as in-sample, the cautious guess. A table
        without
            scores and classes has none.
        resolutions: widths to count; None chooses those the table has the rows for, and days.
        threshold: where a binary score is cut when a row names no class; None for 0.5.
        positive_class: the class that a binary score is about; None for the one that is found.

    Raises:
        TableError: a name cannot be used, the table is no reference, or its truth has no such positive class.

    """
    for what, value, slash in (("deployment", deployment, False), ("version", version, True)):
        fault = name_fault(value, slash=slash)
        if fault is not None:
            raise TableError(f"{what} {value!r} cannot be used: {fault}")
    source, plan = planned.source, planned.plan
    timestamp = plan.one("timestamp")
    has_times = timestamp is not None
    has_scores = bool(plan.of("score")) or plan.one("predicted") is not None
    if provenance is not None and not has_scores:
        raise TableError(
            f"--scores {provenance} was given, but the table has no score and no predicted class: "
            'name one in a mapping, as in [columns] p = {role = "score"}'
        )
    windows = WindowCount()
    batches = []
    truths: list[LabelColumns] = []
    size = 0
    for cols, labels in labelled_rows(source, plan, deployment, version):
        if labels is not None:
            truths.append(labels)
        if has_times:
            windows.add(cols.times_ms)
        batches.append(cols)
        size += sum(block.values.nbytes for block in cols.features + cols.scores)
        size += sum(one.codes.nbytes for one in cols.categories + cols.segments)
        if size > CAP_BYTES:
            raise TableError(
                f"{source.path.name} is larger than the {CAP_BYTES >> 30} GiB of values a reference "
                "may have: "
                "take a sample of whole days"
            )
    profile = build_profile(
        batches,
        rng=np.random.default_rng(SEED),
        created_at_ms=round(time.time() * 1000),
        provenance=(provenance or "in-sample") if has_scores else "none",
        resolutions=windows.default() if resolutions is None else resolutions,
        has_times=has_times,
        threshold=threshold,
    )
    if truths:
        profile = replace(profile, truth=reference_truth(profile, batches, truths, threshold, positive_class))
    if positive_class is not None:
        check_positive_class(profile, positive_class)
    return Built(replace(profile, timestamp=timestamp.name if timestamp is not None else None), windows)
