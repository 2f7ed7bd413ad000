"""Advice: whether a deployment needs retraining, and every figure that this rests on, as it travels and is shown."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

from driftline.schemas import codec
from driftline.schemas.refusal import Refused

Word: TypeAlias = Literal["retrain", "watch", "no need"]
WORDS: Final = ("retrain", "watch", "no need")
_RECORD: Final = "Advice"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason: a few words that never change their spelling, and the sentence with the figures."""

    code: str
    sentence: str


class Fell(msgspec.Struct, frozen=True, kw_only=True):
    """How far performance fell below the reference.

    Attributes:
        metric: name of the figure.
        value: how much worse: of figures that fall the reference less the figure, of figures that rise (log loss,
            Brier, RMSE, MAE) the figure over the reference, less 1. Above 0 is worse.
        low: lower end of its 95 % interval; None when it is not known.
        high: upper end of the same.
        interval: `days`, or `iid` where fewer than 20 days are known; empty without one.
        figure: the figure itself.
        reference: what the reference had.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    interval: str
    figure: float
    reference: float


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate is better by than the live model, on the same labelled rows.

    Attributes:
        candidate: model version, or name of the table that its scores came from.
        metric: name of the figure.
        value: the candidate less the live model, turned so that above 0 the candidate is better; in the figure's unit.
        low: lower end of its 95 % interval; None when it is not known.
        high: upper end of the same.
        interval: `days`, or `iid` where fewer than 20 days are known; empty without one.
        rows: labelled rows that both answered.
        days: days that they lie in.
    """

    candidate: str
    metric: str
    value: float
    low: float | None
    high: float | None
    interval: str
    rows: int
    days: int


class Drifted(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that drifted: its share of the importance (None when nobody said it), PSI, its limit, and how far."""

    feature: str
    importance: float | None
    important: bool
    verdict: str
    psi: float
    limit: float | None
    sigma: float | None
    """W1 in standard deviations of the reference, a lower bound; None for a category."""


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """Advice on one window of one model version in one slot.

    Attributes:
        deployment: name of the deployment.
        model_version: version of the model.
        slot: slot that served, as `champion`.
        resolution: width of the window.
        window_start_ms: start in event time, inclusive.
        window_end_ms: end, exclusive.
        advice: one of `WORDS`.
        reasons: why, the weightiest first.
        fell: how far performance fell; None when it did not, or is not known.
        gains: what a candidate is better by, per figure, the deciding one first; empty is `gain: unknown`.
        features: what drifted, important first.
        since_ms: start of the first window in an unbroken row that got this advice.
        labels: predictions of the window with a label.
        coverage: their share; None when nothing was held against labels.
        expected_per_year: how often a year of such windows gives this advice by chance, at most; None for `no need`.
        settings_revision: revision of the deployment's settings that it rests on.
        id: name of the event, the same when it is sent again; empty of an advice that was only asked for.
        made_at_ms: when the event was made, ms since 1970; 0 of one that was only asked for.
        routes: routes that hear of the event.
    """

    deployment: str
    model_version: str
    slot: str
    resolution: str
    window_start_ms: int
    window_end_ms: int
    advice: Word
    reasons: tuple[Reason, ...]
    fell: Fell | None
    gains: tuple[Gain, ...]
    features: tuple[Drifted, ...]
    since_ms: int
    labels: int
    coverage: float | None
    expected_per_year: float | None
    settings_revision: int = 0
    id: str = ""
    made_at_ms: int = 0
    routes: tuple[str, ...] = ()

    @property
    def gain(self) -> Gain | None:
        """The gain that decides; None when it is not known."""
        return self.gains[0] if self.gains else None

    def to_bytes(self) -> bytes:
        """Give the Avro single-object encoding (record `Advice`); raises Refused when it is too large."""
        return codec.encode(_RECORD, msgspec.to_builtins(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Advice:
        """Read what `to_bytes` wrote; raises Refused when the bytes are no advice."""
        record = codec.decode_as(_RECORD, data)
        try:
            return msgspec.convert(record, cls)
        except msgspec.ValidationError as error:
            raise Refused("impossible_value", f"advice on {record['deployment']!r}: {error}") from error
