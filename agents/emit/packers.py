"""How waiting predictions and labels become the columns and bytes of a batch; what no reader would take is refused."""

from __future__ import annotations

from typing import Final

from driftline.agents.emit import assemble, labels
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.errors import BadEvent
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.options import Options
from driftline.agents.emit.seal import Packer
from driftline.agents.emit.values import fault_ahead
from driftline.schemas.columns import LabelColumns, PredictionColumns, pack_labels, pack_predictions

_BOOLEANS: Final = frozenset({"true", "false"})


def predictions_packer(options: Options, kinds: Kinds) -> Packer:
    """Give the packer of chunks."""

    def columns(chunk: Chunk) -> PredictionColumns:
        # The application's clock may run ahead, or this machine's may have been set back since.
        _check(fault_ahead(int(chunk.times_ms.max()), options.future_ms))
        cols = assemble.to_columns(chunk, options, kinds)
        texts = {column.name for column in cols.categories if not _BOOLEANS.issuperset(column.levels)}
        texts.update(gap.name for gap in cols.gaps if gap.wrong is not None)
        if texts:
            # From now on these columns of events of these shapes are measured before they are let in.
            for shape in chunk.shapes:
                shape.weigh(texts)
        return cols

    return Packer(columns, pack_predictions, lambda cols: int(cols.times_ms.min()))


def labels_packer(options: Options) -> Packer:
    """Give the packer of labels."""

    def columns(chunk: labels.LabelChunk) -> LabelColumns:
        _check(fault_ahead(max(one.known_at_ms for one in chunk.labels), options.future_ms))
        return labels.to_columns(chunk, options.deployment)

    return Packer(columns, pack_labels, lambda cols: int(cols.known_at_ms.min()))


def _check(fault: str | None) -> None:
    if fault is not None:
        raise BadEvent(fault)
