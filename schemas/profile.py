"""Profile: the reference of one model version, against which its windows are counted and judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from driftline.schemas import canonical, codec
from driftline.schemas.packed import pack, unpack
from driftline.schemas.profile_column import ProfileColumn, column_record, read_column
from driftline.schemas.profile_split import ProfileSplit, read_splits, split_records
from driftline.schemas.profile_truth import ProfileTruth, read_truth, truth_record
from driftline.schemas.refusal import Refused

PROVENANCES: Final = ("held-out", "out-of-fold", "in-sample", "none")
_RECORD: Final = "Profile"


@dataclass(slots=True, frozen=True, eq=False)
class Profile:
    """The reference of one model version of a deployment.

    Attributes:
        deployment: name of the deployment.
        model_version: the version the reference belongs to.
        created_at_ms: when it was built, ms since 1970; no part of the digest.
        rows: rows of the reference.
        provenance: where the reference's scores come from, one of `PROVENANCES`.
        columns: features, scores, predicted class, segments, status; unique by (role, name).
        resolutions: names of the resolutions the deployment is counted at, narrowest first.
        start_ms: least event time of the reference; None without times.
        end_ms: greatest event time of the reference; None without times.
        day_starts_ms: int64, the UTC days that have rows; the rows of every column's `days`.
        truth: what performance is held against; None for a reference without truth.
        timestamp: the column of the reference's table that held the event times, which other tables are read by; None
            without times or where it is not known; no part of the digest.
        splits: features and scores by the values of segments; empty without a segment.
    """

    deployment: str
    model_version: str
    created_at_ms: int
    rows: int
    provenance: str
    columns: tuple[ProfileColumn, ...]
    resolutions: tuple[str, ...] = ("1d",)
    start_ms: int | None = None
    end_ms: int | None = None
    day_starts_ms: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    truth: ProfileTruth | None = None
    timestamp: str | None = None
    splits: tuple[ProfileSplit, ...] = ()

    def digest(self) -> str:
        """Give the sha256 of the content in hex; the same reference built twice has the same digest."""
        content: dict[str, object] = {"truth": self.truth} if self.truth is not None else {}
        if self.splits:
            content["splits"] = self.splits
        return canonical.digest(
            {
                **content,
                "deployment": self.deployment,
                "model_version": self.model_version,
                "rows": self.rows,
                "provenance": self.provenance,
                "columns": self.columns,
                "resolutions": self.resolutions,
                "start_ms": self.start_ms,
                "end_ms": self.end_ms,
                "day_starts_ms": self.day_starts_ms,
            }
        )

    def column(self, name: str, role: str = "feature") -> ProfileColumn:
        """Find a column.

        Raises:
            KeyError: when the profile has none of that name and role.
        """
        for column in self.columns:
            if column.name == name and column.role == role:
                return column
        raise KeyError(
            f"the profile of {self.deployment!r} {self.model_version!r} has no {role} named {name!r}"
        )

    def without_history(self) -> Profile:
        """Give what drift is judged by: no counts by day and hour, no truth. Its digest is another; note it before."""
        return replace(self, columns=tuple(column.without_history() for column in self.columns), truth=None)

    def to_bytes(self) -> bytes:
        """Give the Avro single-object encoding (record `Profile`)."""
        return codec.encode(
            _RECORD,
            {
                "deployment": self.deployment,
                "model_version": self.model_version,
                "created_at_ms": self.created_at_ms,
                "rows": self.rows,
                "provenance": self.provenance,
                "resolutions": list(self.resolutions),
                "start_ms": self.start_ms,
                "end_ms": self.end_ms,
                "day_starts_ms": pack(self.day_starts_ms, "<i8"),
                "timestamp": self.timestamp,
                "columns": [column_record(column) for column in self.columns],
                "truth": truth_record(self.truth),
                "splits": split_records(self.splits),
            },
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Profile:
        """Read what `to_bytes` wrote.

        Raises:
            Refused: when the bytes are no profile, or its parts do not fit each other.
        """
        record = codec.decode_as(_RECORD, data)
        return _read(record)


def _read(record: dict[str, Any]) -> Profile:
    day_starts_ms = unpack(record["day_starts_ms"], "<i8", "day_starts_ms")
    columns = tuple(read_column(column, len(day_starts_ms)) for column in record["columns"])
    if len({(column.role, column.name) for column in columns}) != len(columns):
        raise Refused("bad_shape", f"the profile of {record['deployment']!r} names a column twice")
    if record["provenance"] not in PROVENANCES:
        allowed = ", ".join(PROVENANCES)
        raise Refused(
            "impossible_value", f"provenance is {record['provenance']!r}, it must be one of {allowed}"
        )
    return Profile(
        deployment=record["deployment"],
        model_version=record["model_version"],
        created_at_ms=record["created_at_ms"],
        rows=record["rows"],
        provenance=record["provenance"],
        columns=columns,
        resolutions=tuple(record["resolutions"]),
        start_ms=record["start_ms"],
        end_ms=record["end_ms"],
        day_starts_ms=day_starts_ms,
        truth=read_truth(record["truth"], [column.name for column in columns if column.role == "score"]),
        timestamp=record["timestamp"],
        splits=read_splits(record["splits"], columns),
    )
