"""Changed: the demo's second half, step by step, and what it comes to."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from driftline.deploy.advice.versions import side_by_side
from driftline.deploy.advice.view import span
from driftline.deploy.demo import change
from driftline.deploy.demo.audited import exported, swaps, tampered, verified
from driftline.deploy.demo.installation import APPROVERS
from driftline.deploy.demo.model import DAY_MS
from driftline.deploy.demo.served import LIVE
from driftline.schemas.errors import DriftlineError
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.version_reads import Span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from driftline.agents.audit.record import AuditRecord
    from driftline.deploy.demo.model import Scored
    from driftline.deploy.demo.phases import Phases
    from driftline.schemas.advice import Advice
    from driftline.schemas.settings import Settings

REFERENCE: Final = "reference.parquet"
STORED_S: Final = 60.0
STILL_S: Final = 2.0
"""How long there must have been as many answers for all of them to be there."""
LOOK_S: Final = 0.2


class ChangeError(DriftlineError):
    """The second half of the demo cannot be told, or is not as it should be."""


def champion_of(here: change.Control, folder: Path, scored: Scored, phases: Phases) -> None:
    """Put the model under control: once two people approved, it answers over HTTP; raises as `change_of`."""
    with phases.step("control", "Put it under control: keys, roles, a controller, a serving agent"):
        change.first_champion(here, scored, folder / REFERENCE)
        phases.say(
            "two people approved version 1, and it answers over HTTP (Open Inference Protocol v2) as deployment "
            f"{LIVE}"
        )


def change_of(
    here: change.Control, folder: Path, scored: Scored, advice: Sequence[Advice], phases: Phases
) -> dict[str, Any]:
    """Retrain the model that is served, promote what is better, take back what is worse, and verify the audit.

    Args:
        here: what runs beside the stack.
        folder: of the demo.
        scored: the year, and the model that was trained first.
        advice: on each month of the year.
        phases: where it is told.

    Returns:
        `requests`, `failed_requests`, `swaps`; `audit` {genesis, records, verified, witnessed, signatures, fault,
        tampered_at, tampered_found_at, tampered_found}; `change` {advice, answered, failures, labels, comparison,
        promotion, back}.

    Raises:
        DriftlineError: a part does not start, a command is refused, or does not come to what it should.
    """
    with ExitStack() as running:
        with phases.step("retrain", "Tell July's advice, which has the model retrained on January to June"):
            told = _told(advice)
            registered = change.retrained(here, told)
            phases.say(
                f"'driftline worker retrain' ran the trainer; audit record {registered.seq} registers version 2"
            )
        with phases.step("swap", "Ask for July's flights throughout, and promote version 2 step by step"):
            load = change.load_of(here, scored.year)
            running.callback(load.stop)
            load.start(*change.CALENDAR["shadow"])
            for sentence in change.walk(here, load, folder):
                phases.say(sentence)
            since_ms = -(-load.now_ms // DAY_MS) * DAY_MS  # the first day that both answer whole
            # A bad one is made while July goes on.
            load.aim(*change.CALENDAR["bad"])
            change.bad_one(here, scored, folder)
            load.reach(*change.CALENDAR["bad"], change.REACH_S)
        with phases.step("back", "Break the glass for a bad version, and let windows take it back"):
            bad = change.taken_back(here, load)
            phases.say(bad.reasons[0])
            load.stop()
        with phases.step("audit", "Verify the audit, and a copy in which one byte is another"):
            compared = _compared(here.installation.settings, Span(since_ms, change.AUGUST_MS), load.labels)
            found = _audit(here, folder)
    records = found.pop("all")
    return {
        "requests": load.requests,
        "failed_requests": len(load.failures),
        "swaps": swaps(records, LIVE, registered.seq),
        "audit": found,
        "change": {
            "advice": {"month": span(told.window_start_ms, told.resolution), "advice": told.advice},
            "answered": dict(sorted(load.answered.items())),
            "failures": load.failures[:10],
            "labels": load.labels,
            "comparison": compared,
            "promotion": _promotion(records),
            "back": {"seq": bad.seq, "reason": bad.reasons[0], "checks": [_check(one) for one in bad.checks]},
        },
    }


def _told(advice: Sequence[Advice]) -> Advice:
    found = next((one for one in advice if one.window_start_ms == change.JULY_MS), None)
    if found is None or found.advice != "retrain":
        raise ChangeError("nothing advises to retrain in July: the windows of the year say why")
    return found


def _check(one: Any) -> dict[str, Any]:  # noqa: ANN401 - a check of the audit
    return {"name": one.name, "passed": one.passed, "detail": one.detail}


def _promotion(records: Sequence[AuditRecord]) -> dict[str, Any]:
    """The record by which version 2 became the champion, and the comparisons of the step before it."""
    passed = next(one for one in records if one.event == "moved" and "passed" in one.reasons[0])
    made = next(one for one in records if _promotes(one))
    return {
        "seq": made.seq,
        "asked": made.actor,
        "approvers": list(made.approvers),
        "passed": {"seq": passed.seq, "checks": [_check(one) for one in passed.checks]},
    }


def _promotes(one: AuditRecord) -> bool:
    return (
        one.op == "promote"
        and one.event == "effective"
        and one.model is not None
        and one.model.version == change.SECOND
    )


def _compared(settings: Settings, weeks: Span, labels: int) -> dict[str, Any]:
    """Hold version 2 against the shadow of version 1 on the same flights, once all of them are stored."""
    _wait_until_stored(settings, labels)
    found = side_by_side(settings, LIVE, (change.FIRST, change.SECOND), weeks, "1d")
    if not found.performance:
        raise ChangeError(f"the two versions cannot be held against each other: {found.why}")
    return {
        "rows": found.pairs,
        "slots": {one.version: one.slot for one in found.answered},
        "since": span(weeks.since_ms or 0, "1d"),
        "figures": {
            one.metric: {
                "first": one.values[0],
                "second": one.values[1],
                **one.gained(),
            }
            for one in found.performance
        },
    }


def _wait_until_stored(settings: Settings, labels: int) -> None:
    """Wait until ClickHouse has all labels that were told, and no more answers come."""
    stored: dict[str, int] = {}
    still_s = time.monotonic()

    def reached() -> bool:
        nonlocal stored, still_s
        found = {table: reads.count_of(settings, table, LIVE) for table in ("predictions", "labels")}
        if found != stored:
            stored, still_s = found, time.monotonic()
        return found["labels"] >= labels and time.monotonic() - still_s > STILL_S

    what = "that all answers and labels of versions 1 and 2 are stored"
    reads.wait_until(reached, seconds=STORED_S, what=what, on_wait=lambda: time.sleep(LOOK_S))


def _audit(here: change.Control, folder: Path) -> dict[str, Any]:
    """Verify an export of the audit, and one with a letter of who approved the promotion changed."""
    own, copy = folder / change.FOLDER / "audit", folder / change.FOLDER / "audit-tampered"
    records = exported(here.installation.settings, own)
    genesis = here.installation.settings.control.genesis
    report = verified(genesis, own)
    made = next(one for one in records if _promotes(one))
    word = f'"approvers":["{APPROVERS[0]}"'
    tampered(own, copy, made.seq, word, word.replace(APPROVERS[0], "q" + APPROVERS[0][1:]))
    fault = verified(genesis, copy).fault
    return {
        "genesis": genesis,
        "records": report.records,
        "verified": report.verified,
        "witnessed": report.witnessed,
        "signatures": report.signatures,
        "fault": None if report.fault is None else str(report.fault),
        "tampered_at": made.seq,
        "tampered_found_at": None if fault is None else fault.seq,
        "tampered_found": None if fault is None else str(fault),
        "all": records,
    }
