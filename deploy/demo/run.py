"""The demo, step by step: stack, data and model, profile, replay, and what was found."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from pyarrow import parquet as pq

from driftline.agents.emit import Emitter
from driftline.deploy.advice.collect import Wanted, collect
from driftline.deploy.demo.change import begin as begin_control
from driftline.deploy.demo.changed import champion_of, change_of
from driftline.deploy.demo.flights import load_flights
from driftline.deploy.demo.groups import fairness_by_month
from driftline.deploy.demo.model import Scored, train_and_score
from driftline.deploy.demo.outcome import drift_by_month, faults, ledger
from driftline.deploy.demo.people import People, people, wishes
from driftline.deploy.demo.phases import Phases
from driftline.deploy.demo.refit import Refits, advice_by_month, write_candidate
from driftline.deploy.demo.settle import wait_until_closed
from driftline.deploy.demo.stack import SAID, clear, demo_stack
from driftline.deploy.demo.told import alerts_told, wait_until_told
from driftline.deploy.demo.truth import Truth, performance_by_month
from driftline.deploy.local import deployments
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.discover import as_role
from driftline.deploy.local.operator import operator_name
from driftline.deploy.tables.arrival import look, wait
from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.progress import bar
from driftline.deploy.tables.send import Sent, send
from driftline.deploy.tables.shelf import publish
from driftline.schemas.errors import DriftlineError
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.alert_reads import edges

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from rich.console import Console

    from driftline.schemas.advice import Advice
    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings

DEPLOYMENT = "flights"
VERSION = "1"
RESOLUTIONS = ("1d",)
STEPS = 12
SEGMENTS = ("carrier", "origin")
BOUND_S = 180.0
"""How long the rows may take into ClickHouse, and the windows to close."""

FLIGHTS, REFERENCE, YEAR, SUMMARY = "flights.parquet", "reference.parquet", "year.parquet", "summary.json"
CANDIDATE, REFIT = "refit.parquet", "refit.npy"


class DemoError(DriftlineError):
    """What was emitted, delivered and stored does not add up, or is late."""


def run_demo(folder: Path, *, keep: bool, console: Console, secure: bool = False) -> dict[str, Any]:
    """Run the demo from nothing to its summary, which is written to `folder`/summary.json too.

    Args:
        folder: data directory of the demo's own stack; what an earlier demo left there is removed.
        keep: leave the stack running.
        console: where progress is shown.
        secure: run it as `driftline up --secure` does: everybody has a user, which may do what its role needs.

    Raises:
        StackError: the stack does not start.
        DemoError: the events were not stored and counted in time.
        ClickHouseError: the windows did not close in time.

    """
    phases = Phases(console, STEPS)
    began = time.perf_counter()
    with contextlib.ExitStack() as running:
        with phases.step("start", "Start a real Kafka, a real ClickHouse and the stream workers"):
            clear(folder, phases.say)
            # What needs no stack is trained while it starts.
            flights = load_flights()
            pq.write_table(flights, folder / FLIGHTS)
            refits = Refits(folder / FLIGHTS, folder / REFIT, DataDirectory(folder).log("refit"))
            running.callback(refits.close)
            training = running.enter_context(ThreadPoolExecutor(1)).submit(train_and_score, flights)
            told = running.enter_context(people(folder, phases.say))
            stack = demo_stack(folder, told.alerts, keep=keep, say=phases.say, secure=secure)
            settings = running.enter_context(stack)
            phases.say(SAID)
        scored, profile = _trained(settings, folder, training, phases)
        # Here, so that its parts start while the year is replayed.
        here = begin_control(settings, folder, running)
        sent, truth = _replayed(settings, folder, (scored, profile), phases)
        # The workers catch up meanwhile.
        champion_of(here, folder, scored, phases)
        summary, advice = _found(settings, folder, (scored, sent, truth, refits), told, phases)
        summary |= change_of(here, folder, scored, advice, phases)
        summary["seconds"] = phases.seconds
        summary["seconds"]["total"] = round(time.perf_counter() - began, 2)
        (folder / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2))
    return summary


def check(summary: dict[str, Any]) -> None:
    """Raise what does not add up.

    Raises:
        DemoError: emitted, delivered and stored differ, or something was refused.

    """
    found = faults(summary)
    if found:
        raise DemoError("; ".join(found))


def _trained(
    settings: Settings, folder: Path, training: Future[Scored], phases: Phases
) -> tuple[Scored, Profile]:
    """The model, and what its answers are held against."""
    with phases.step("model", "Train a model on the flights of January and February 2013"):
        scored = _data(folder, training.result(), phases)
    with phases.step("profile", "Build the reference from rows the model had not seen, and publish it"):
        profile = _profile(settings, folder, phases)
        _settings(settings, scored, phases)
    return scored, profile


def _replayed(
    settings: Settings, folder: Path, trained: tuple[Scored, Profile], phases: Phases
) -> tuple[Sent, Truth]:
    """Send the year, and what became of it."""
    with phases.step("emit", "Replay the year in event time through the Emitter, Kafka and the workers"):
        return _emit(settings, trained[0], folder, trained[1], phases)


def _found(
    settings: Settings,
    folder: Path,
    replayed: tuple[Scored, Sent, Truth, Refits],
    told: People,
    phases: Phases,
) -> tuple[dict[str, Any], list[Advice]]:
    """The year: what was found of it, and the advice on each month."""
    scored, sent, truth, refits = replayed
    with phases.step("settle", "Wait until all is in ClickHouse, every window closed and every alert told"):
        _settle(settings, folder, sent, truth.by_month, told, phases)
    with phases.step("advise", "Hold the model against itself trained again each quarter"):
        write_candidate(folder / CANDIDATE, truth.ids, refits.scores(BOUND_S))
        advice = collect(settings, DEPLOYMENT, Wanted(candidate=folder / CANDIDATE))
    with phases.step("read", "Ask ClickHouse what was found"):
        counts = reads.counts(settings)
        summary = {
            "events_emitted": sent.rows,
            "events_in_clickhouse": reads.count_of(settings, "predictions", DEPLOYMENT),
            "emitter": ledger(sent.stats.total),
            "windows": counts["windows"],
            "drift": drift_by_month(settings, DEPLOYMENT),
            "performance": performance_by_month(settings, DEPLOYMENT),
            "estimated": performance_by_month(settings, DEPLOYMENT, "estimate"),
            "fairness": fairness_by_month(settings, DEPLOYMENT, SEGMENTS[0]),
            "alerts": alerts_told(edges(settings, DEPLOYMENT), told),
            "advice": advice_by_month(advice),
            "dead_letters": counts["dead_letters"],
            "model": {
                "auc_out_of_fold": round(scored.auc_out_of_fold, 4),
                "auc_in_sample": round(scored.auc_in_sample, 4),
                "reference_rows": scored.reference.num_rows,
                "importance": scored.importance,
            },
        }
    return summary, advice


def _data(folder: Path, scored: Scored, phases: Phases) -> Scored:
    # When a flight landed is no input and no answer: it says when truth is told.
    pq.write_table(scored.reference.drop_columns(["landed"]), folder / REFERENCE)
    pq.write_table(scored.year.drop_columns(["landed"]), folder / YEAR)
    phases.say(
        f"{scored.year.num_rows:,} flights left New York; will each arrive more than 15 minutes late? "
        "The model's AUC "
        f"is {scored.auc_out_of_fold:.2f} on days it has not seen"
    )
    return scored


def _profile(settings: Settings, folder: Path, phases: Phases) -> Profile:
    planned = plan_table(folder / REFERENCE, _columns(folder))
    built = build_from_table(planned, DEPLOYMENT, VERSION, provenance="out-of-fold", resolutions=RESOLUTIONS)
    publish(as_role(settings, "publisher"), built.profile)
    phases.say(
        f"{built.profile.rows:,} rows, {len(planned.plan.features)} features and the score, "
        f"{built.windows.windows('1d')} days; digest {built.profile.digest()[:12]}"
    )
    return built.profile


def _settings(settings: Settings, scored: Scored, phases: Phases) -> None:
    """Say who answers for the flights, who hears of them, and what the model leans on."""
    wanted = wishes(DEPLOYMENT, scored.importance)
    deployments.apply(
        as_role(settings, "publisher").kafka,
        wanted,
        changed_by=operator_name(settings),
        now_ms=time.time_ns() // 1_000_000,
    )
    first = sorted(scored.importance, key=lambda name: -scored.importance[name])[:3]
    phases.say(f"{wanted.owner} answers for it and hears of it; the model leans most on {', '.join(first)}")


def _columns(folder: Path) -> Path:
    """Say that figures are told apart by carrier and airport."""
    mapping = folder / "columns.toml"
    mapping.write_text(
        "[columns]\n" + "".join(f'{name} = {{role = "feature", segment = true}}\n' for name in SEGMENTS)
    )
    return mapping


def _emit(
    settings: Settings, scored: Scored, folder: Path, profile: Profile, phases: Phases
) -> tuple[Sent, Truth]:
    """Send the year, and what became of each flight once it had landed."""
    planned = plan_table(folder / YEAR, _columns(folder), profile)
    emitting = as_role(settings, "emitter")
    with (
        bar(phases.console, "      sending", planned.rows) as told,
        Emitter(DEPLOYMENT, VERSION, settings=emitting) as teller,
    ):
        truth = Truth(scored.year, teller)
        sent = send(emitting, planned, DEPLOYMENT, VERSION, profile=profile, told=told, offered=truth.offered)
        if sent.stalled:
            raise DemoError(f"Kafka took {sent.stats.delivered:,} of {planned.rows:,} events and no more")
        truth.rest()
        if not teller.flush(BOUND_S):
            raise DemoError(f"the {truth.told:,} labels were not delivered within {BOUND_S:.0f} s")
    phases.say(
        f"{sent.rows:,} events offered, {sent.stats.delivered:,} acknowledged by Kafka in "
        f"{sent.seconds:.1f} s; {truth.told:,} landed and were told late or not"
    )
    return sent, truth


def _settle(
    settings: Settings, folder: Path, sent: Sent, labels: dict[str, int], told: People, phases: Phases
) -> None:
    ask = partial(look, settings, DEPLOYMENT, VERSION, sent.stats.instance, sent.stats.delivered, RESOLUTIONS)
    with phases.console.status("      waiting") as status:
        arrival = wait(
            ask, BOUND_S, lambda found: status.update(f"      {found.on_the_way() or 'all stored'}")
        )
        if not arrival.is_complete:
            logs = DataDirectory(folder).logs
            raise DemoError(f"after {BOUND_S:.0f} s {arrival.on_the_way()}: {logs} says what the workers did")
        wait_until_closed(
            settings, DEPLOYMENT, labels, BOUND_S, lambda found: status.update(f"      {found}")
        )
        wait_until_told(settings, told, BOUND_S, lambda missing: status.update(f"      {missing}"))
    phases.say(
        f"{arrival.stored:,} events stored and counted, {len(told.heard.edges):,} edges of alerts told"
    )
