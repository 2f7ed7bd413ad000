"""Rules: one window, the settings of its deployment and the gain of a candidate become one of three words.

    performance       gain of a candidate      advice
    fell              above zero, or unknown   retrain    unless neither it nor the gain is known over 20 days: watch
    fell              not above zero           watch      a refit does not help
    down              above zero over 20 days  retrain    down by the floor of a failure, within what days explain
    down, within      otherwise                watch      within: down by the floor of a warning
    warns             any                      watch
    holds             any                      no need    whatever the inputs do
    not known yet     any                      watch      when the estimate fell or important inputs drifted
    not known yet     any                      no need    otherwise

A month that is down may only have had hard days, and its own interval allows for them. A candidate is held against the
live model on the same days, where hard days are hard for both: that a refit helps there can be known when that the
month was worse than the reference cannot. Drift alone never leads to `retrain`, and nothing does without labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.advice import WORDS, Advice, Reason, Word
from driftline.streams.advice.chance import chance_of_drift, chance_of_fall, chance_of_gain, per_year
from driftline.streams.advice.inputs import drifted, important
from driftline.streams.advice.truth import DOWN, Truth, estimate, fell_sentence, performance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.schemas.advice import Drifted, Fell, Gain
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.streams.advice.evidence import Evidence

UNKNOWN: Final = frozenset({"truth is not there yet", "performance is not judged"})
"""Reasons of an advice that labels have no part in."""
NAMED: Final = 5
"""Features that a sentence names before it counts the rest."""


def advise(
    windows: Sequence[Evidence],
    settings: DeploymentSettings,
    gains: Mapping[int, Sequence[Gain]] | None = None,
    *,
    settings_revision: int = 0,
) -> list[Advice]:
    """Give advice on each window.

    Args:
        windows: of one deployment, model version, slot and resolution, in order of time.
        settings: importance, floors, primary metric.
        gains: start of a window, ms -> what a candidate gains on the labelled rows of that window.
        settings_revision: the revision of the settings.

    Returns:
        One advice a window; `since_ms` is where the unbroken row of windows with the same word began.
    """
    found: list[Advice] = []
    for window in windows:
        one = _advice(window, settings, (gains or {}).get(window.start_ms, ()), settings_revision)
        if found and found[-1].advice == one.advice:
            one = msgspec.structs.replace(one, since_ms=found[-1].since_ms)
        found.append(one)
    return found


def changed(before: Advice | None, after: Advice) -> bool:
    """Whether people are to hear of an advice: its word is another than before, or the first one is not `no need`."""
    return after.advice != ("no need" if before is None else before.advice)


def in_force(advices: Sequence[Advice]) -> Advice:
    """Give the advice that holds after a row of windows: the graver of the newest and the newest that labels speak for.

    What labels have said of an older window is not taken back because those of the newest have not come.

    Args:
        advices: what `advise` gave, one at least.
    """
    newest = advices[-1]
    known = next((one for one in reversed(advices) if rests_on_truth(one)), newest)
    return known if WORDS.index(known.advice) < WORDS.index(newest.advice) else newest


def rests_on_truth(advice: Advice) -> bool:
    """Whether labels speak for an advice."""
    return all(reason.code not in UNKNOWN for reason in advice.reasons)


def helps(gains: Sequence[Gain]) -> bool:
    """Whether a candidate is better: one figure's interval lies above zero, and none below."""
    known = [(one.low, one.high) for one in gains if one.low is not None and one.high is not None]
    return any(low > 0 for low, _ in known) and not any(high < 0 for _, high in known)


def _advice(
    window: Evidence, settings: DeploymentSettings, gains: Sequence[Gain], settings_revision: int
) -> Advice:
    truth, guess = performance(window, settings), estimate(window, settings)
    features = drifted(window, settings.feature_importance)
    told = _deciding(gains, truth)
    word, first = _decide(truth, guess, features, told)
    reasons = [*first, *_others(truth, guess, features, told)]
    return Advice(
        deployment=window.deployment,
        model_version=window.model_version,
        slot=window.slot,
        resolution=window.resolution,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        advice=word,
        reasons=tuple({reason.code: reason for reason in reasons}.values()),
        fell=truth.worst if truth.state in DOWN else None,
        gains=told,
        features=features,
        since_ms=window.start_ms,
        labels=window.labels,
        coverage=window.coverage,
        expected_per_year=_expected(word, window, truth, guess, settings, told),
        settings_revision=settings_revision,
    )


def _decide(
    truth: Truth, guess: Truth, features: Sequence[Drifted], gains: tuple[Gain, ...]
) -> tuple[Word, list[Reason]]:
    """Give the word and the reason that decides it."""
    if truth.state == "fell":
        return _fell(truth.worst, gains)
    if truth.state == "warns":
        return "watch", [_reason("performance warns", truth.worst, "Performance fell by a warning's floor.")]
    if truth.state in {"down", "within"}:
        said = "That is past a floor, but no more than chance and days explain."
        down = _reason("performance may have fallen", truth.worst, "", said)
        if truth.state == "down" and helps(gains) and _is_proven(gains):
            return "retrain", [_gain_reason(gains), down]
        return "watch", [_gain_reason(gains), down] if gains and not helps(gains) else [down]
    if truth.state == "holds":
        return "no need", [_reason("performance holds", truth.worst, "Performance is judged ok.")]
    code = "truth is not there yet" if truth.state == "early" else "performance is not judged"
    points = guess.state in {"fell", "warns"} or any(one.important for one in features)
    return "watch" if points else "no need", [Reason(code=code, sentence=truth.why)]


def _fell(fell: Fell | None, gains: tuple[Gain, ...]) -> tuple[Word, list[Reason]]:
    down = _reason("performance fell", fell, "Performance is judged a failure.")
    if gains and not helps(gains):
        return "watch", [_gain_reason(gains), down]
    over_days = fell is not None and fell.interval == "days"
    if not (over_days or _is_proven(gains)):
        said = (
            "Fewer than 20 days are behind it: the interval takes rows for independent, which days are not."
        )
        return "watch", [Reason(code="interval: iid", sentence=said), down]
    return "retrain", [down]


def _is_proven(gains: tuple[Gain, ...]) -> bool:
    """Whether a gain is above zero by an interval that knows how days differ."""
    return any(one.interval == "days" and one.low is not None and one.low > 0 for one in gains)


def _others(truth: Truth, guess: Truth, features: Sequence[Drifted], gains: tuple[Gain, ...]) -> list[Reason]:
    """Give what else is known, for and against."""
    found = []
    if gains:
        found.append(_gain_reason(gains))
    elif truth.state in DOWN:
        said = "No candidate was compared on these rows, so whether a refit helps is not known."
        found.append(Reason(code="gain: unknown", sentence=said))
    if guess.judged and guess.state in {"fell", "warns"}:
        found.append(
            _reason("the estimate fell", guess.worst, "The estimate of performance is down.", "Estimated.")
        )
    for code, counts in (("important inputs drifted", True), ("unimportant inputs drifted", False)):
        some = [one for one in features if one.important is counts]
        if some:
            found.append(Reason(code=code, sentence=_drift_sentence(some)))
    return found


def _deciding(gains: Sequence[Gain], truth: Truth) -> tuple[Gain, ...]:
    """Keep the gains on the primary figures, if there are any: those above zero first, then that on what fell.

    A gain without an interval says nothing.
    """
    primary = {one.metric for one in truth.judged}
    known = [one for one in gains if one.low is not None and one.high is not None]
    told = [one for one in known if one.metric in primary] or known
    fell = "" if truth.worst is None else truth.worst.metric
    return tuple(sorted(told, key=lambda one: ((one.low or 0.0) <= 0, one.metric != fell)))


def _expected(
    word: Word,
    window: Evidence,
    truth: Truth,
    guess: Truth,
    settings: DeploymentSettings,
    gains: tuple[Gain, ...],
) -> float | None:
    if word == "no need":
        return None
    # What days explain is past a floor without drift too, as often as not.
    fall = 1.0 if truth.state in {"down", "within"} else chance_of_fall(truth.judged)
    if word == "retrain":
        return per_year(window, fall * chance_of_gain(gains))
    if truth.state in {"early", "unjudged"}:
        counts = important(settings.feature_importance)
        return per_year(window, chance_of_drift(window, counts) + chance_of_fall(guess.judged))
    return per_year(window, fall)


def _reason(code: str, fell: Fell | None, instead: str, more: str = "") -> Reason:
    said = instead if fell is None else fell_sentence(fell)
    return Reason(code=code, sentence=f"{said} {more}".strip())


def _gain_reason(gains: tuple[Gain, ...]) -> Reason:
    code = "a refit helps" if helps(gains) else "a refit does not help"
    parts = []
    for one in gains:
        ends = "" if one.low is None or one.high is None else f" ({one.low:+.3f} to {one.high:+.3f})"
        parts.append(f"{one.metric} {one.value:+.3f}{ends}")
    first = gains[0]
    over = "over days" if first.interval == "days" else "of independent rows"
    said = (
        f"Against the live model, above 0 is better: {first.candidate} has {', '.join(parts)} "
        f"on the same {first.rows:,} labelled rows of {first.days} days, 95 % intervals {over}."
    )
    return Reason(code=code, sentence=said)


def _drift_sentence(some: Sequence[Drifted]) -> str:
    named = [
        f"{one.feature} (PSI {one.psi:.2f}"
        + ("" if one.limit is None else f", limit {one.limit:.2f}")
        + ("" if one.sigma is None else f", moved {one.sigma:.2f} σ")
        + ("" if one.importance is None else f", {100 * one.importance:.0f} % of the importance")
        + ")"
        for one in some[:NAMED]
    ]
    more = "" if len(some) <= NAMED else f" and {len(some) - NAMED} more"
    return f"{', '.join(named)}{more}."
