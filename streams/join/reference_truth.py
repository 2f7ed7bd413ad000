"""Reference truth: what a model's answers came to on the rows of its reference, counted as windows are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.number_text import number_text
from driftline.schemas.profile_truth import DAYS_MAX, ProfileTruth
from driftline.streams.join.cell import Cell, PredictionRows
from driftline.streams.join.class_reference_bytes import encode as encode_reference
from driftline.streams.join.keys import pairs, sorted_order
from driftline.streams.join.labels import Labels, label_rows
from driftline.streams.join.outcomes_bytes import encode
from driftline.streams.join.pairing import outcomes_of
from driftline.streams.join.predicted import predicted_classes
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.scheme_of import found_scheme, with_segments
from driftline.streams.join.vocabulary import Vocabulary
from driftline.streams.stats.class_calibration import class_reference
from driftline.streams.windows.resolution import DAY_MS, rows_by_start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.columns import LabelColumns, PredictionColumns
    from driftline.schemas.profile import Profile
    from driftline.streams.join.outcomes import Outcomes

_TWO: Final = 2


def reference_truth(
    profile: Profile,
    batches: Sequence[PredictionColumns],
    truths: Sequence[LabelColumns],
    threshold: float | None = None,
    positive_class: str | None = None,
) -> ProfileTruth | None:
    """Hold the reference's answers against its truth.

    Args:
        profile: of the same rows, without truth; its score bins are used.
        batches: the rows; without event times all lie on one day.
        truths: as many batches of labels as of rows, whose ids are uint8 (n, 16) places of rows over all batches
            (`place_ids`); a row without truth has none.
        threshold: of a binary score; None for that of `Scheme`.
        positive_class: of a binary task, the class that the score is about; None for the one that is found.

    Returns:
        None when no row has a truth, or the answers cannot be held against it: no score and no class, or a score
        within 0 and 1 whose truth is one of many classes.
    """
    scheme = _scheme(profile, truths)
    if scheme is None:
        return None
    scheme = with_segments(scheme, profile)
    if positive_class is not None and scheme.task == "binary" and scheme.index_of(positive_class) == 0:
        scheme = replace(scheme, classes=scheme.classes[::-1])
    if threshold is not None and scheme.task == "binary":
        scheme = replace(scheme, threshold=threshold)
    days, calibration = _joined(scheme, batches, truths)
    starts = sorted(days)
    kept = starts[-DAYS_MAX:]
    for start in starts[:-DAYS_MAX]:
        days[kept[0]].merge(days[start])
    for day in days.values():
        # A delay is a fact of a stream; a table has none.
        day.delays = None
    return ProfileTruth(
        task=scheme.task,
        classes=scheme.classes,
        scores=scheme.scores,
        threshold=scheme.threshold,
        day_starts_ms=np.array(kept, np.int64),
        days=tuple(encode(days[start]) for start in kept),
        calibration=calibration,
    )


def place_ids(first: int, rows: int) -> np.ndarray:
    """Give ids for rows from a place on; uint8 (rows, 16)."""
    ids = np.zeros((rows, 2), "<u8")
    # The half that is sorted by carries the place.
    ids[:, 0] = ids[:, 1] = np.arange(first, first + rows)
    return ids.view(np.uint8)


def _scheme(profile: Profile, truths: Sequence[LabelColumns]) -> Scheme | None:
    scores = [column for column in profile.columns if column.role == "score"]
    named = next((column for column in profile.columns if column.role == "class"), None)
    texts = _texts(truths)
    if not any(cols.rows for cols in truths) or (not scores and named is None):
        return None
    if named is not None:
        levels = (*named.levels, *(text for text in texts if text not in named.levels))
        # True and 1 are the same truth: what the class column says is kept.
        both = found_scheme(scores, named.levels, "", is_named=True)
        classes = tuple(text for text in levels if text in named.levels or both.index_of(text) < 0)
        return found_scheme(scores, classes, "", is_named=True)
    classes = tuple(sorted(texts))
    if len(scores) > 1:
        return found_scheme(scores, classes, "", is_named=False)
    found = found_scheme(scores, classes if len(classes) == _TWO else ("0", "1"), "", is_named=False)
    if found.task == "binary" and len(classes) <= _TWO:
        return found
    # One score, and more truths than two: numbers, or nothing that a score could be held against.
    if any(cols.classes is not None for cols in truths):
        return None
    return Scheme("", "regression", scores=(scores[0].name,))


def _texts(truths: Sequence[LabelColumns]) -> set[str]:
    """Give the classes that truth names; numbers beyond a few are no classes, and are cut short."""
    found: set[str] = set()
    for cols in truths:
        if cols.classes is not None:
            found.update(cols.classes.levels[code] for code in np.unique(cols.classes.codes) if code >= 0)
        if cols.numbers is not None:
            distinct = np.unique(cols.numbers[~np.isnan(cols.numbers)])[: _TWO + 1]
            found.update(number_text(value) for value in distinct.tolist())
    return found


def _joined(
    scheme: Scheme, batches: Sequence[PredictionColumns], truths: Sequence[LabelColumns]
) -> tuple[dict[int, Outcomes], bytes]:
    """Give the outcomes of each day, and what estimates of many classes need; empty for other tasks."""
    vocabulary, labels = Vocabulary(), Labels()
    cells: dict[int, Cell] = {}
    first = 0
    for cols, truth in zip(batches, truths, strict=True):
        placed = replace(cols, ids=place_ids(first, cols.rows))
        first += cols.rows
        every = np.ones(cols.rows, np.bool_)
        for start, rows in rows_by_start(cols.times_ms // DAY_MS * DAY_MS, every):
            cell = cells.setdefault(start, Cell(start, 0, scheme))
            cell.add(placed, rows, vocabulary)
        labels.add(label_rows(truth, 0, 0, vocabulary))
    labels.settle()
    found = {}
    for start, cell in cells.items():
        cell.settle()
        found[start] = outcomes_of(start, cell.rows, labels.rows, scheme, vocabulary.texts)
    if scheme.task != "classes" or not scheme.scores:
        return found, b""
    return found, _calibration(
        scheme, PredictionRows.joined([cell.rows for cell in cells.values()]), labels, vocabulary
    )


def _calibration(scheme: Scheme, rows: PredictionRows, labels: Labels, vocabulary: Vocabulary) -> bytes:
    rows = rows.take(sorted_order(rows.key, rows.rest))
    mine, theirs = pairs(rows.key, rows.rest, labels.rows.key, labels.rows.rest)
    said = scheme.named_classes(rows.predicted[mine], vocabulary.texts)
    scores = rows.scores[:, mine]
    truth = scheme.true_classes(labels.rows.code[theirs], labels.rows.number[theirs], vocabulary.texts)
    found = class_reference(scores.T, predicted_classes(scheme, said, scores), truth)
    return b"" if found is None else encode_reference(found)
