"""The change: the model is served, retrained, tried, promoted by two people, and a bad one is taken back by itself."""

from __future__ import annotations

import hashlib
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from pyarrow import compute as pc
from pyarrow import parquet as pq
from threadpoolctl import threadpool_limits

from driftline.deploy.advice.telling import tell
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.manifests import packaged
from driftline.deploy.demo.asks import asks
from driftline.deploy.demo.installation import (
    APPROVERS,
    ENGINEER,
    OPERATOR,
    RETRAINING,
    VALIDATOR,
    WITNESS,
    WITNESS_NAME,
    Installation,
    establish,
)
from driftline.deploy.demo.load import Load
from driftline.deploy.demo.model import DAY_MS, fit, matrix
from driftline.deploy.demo.office import Office
from driftline.deploy.demo.parts import ONE_THREAD, Part, ServingAgent
from driftline.deploy.demo.retrain import with_scores
from driftline.deploy.demo.served import LIVE, Made, packed
from driftline.deploy.local.component import stop_together
from driftline.deploy.local.datadir import DataDirectory
from driftline.schemas.control.command import Plan, Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from driftline.agents.audit.record import AuditRecord
    from driftline.deploy.control.board import Board
    from driftline.deploy.demo.model import Scored
    from driftline.schemas.advice import Advice
    from driftline.schemas.settings import Settings

FOLDER: Final = "control"
JULY_MS: Final = 1_372_636_800_000
"""2013-07-01 00:00 UTC: what the load begins with; nothing that was retrained has seen a day of it."""
AUGUST_MS: Final = 1_375_315_200_000
FIRST, SECOND, BAD = "1", "2", "3"
CALENDAR: Final = {
    "shadow": (JULY_MS, JULY_MS + 4 * DAY_MS),
    "canary": (JULY_MS + 5 * DAY_MS + DAY_MS // 2, JULY_MS + 6 * DAY_MS),
    "promote": (JULY_MS + 9 * DAY_MS + DAY_MS // 48, JULY_MS + 10 * DAY_MS),
    "a day later": (JULY_MS + 10 * DAY_MS + DAY_MS // 48, JULY_MS + 11 * DAY_MS),
    "bad": (AUGUST_MS + DAY_MS // 4, AUGUST_MS + DAY_MS),
    "back": (AUGUST_MS + 3 * DAY_MS + DAY_MS // 4, AUGUST_MS + 8 * DAY_MS),
}
"""Event times: when each change is asked for, and by when it is so, however slow the machine is."""
HALF: Final = 5_000
OFTEN_MS, CLOSELY_MS, SELDOM_MS = 900_000, 300_000, 3_600_000
"""Flights of so long are one request: more of them while one version after the other takes over, and most while a
canary answers some. Flights of one time have one weather: of few large requests the halves differ by chance."""
RETRAIN_S: Final = 120.0
WINDOWS_S: Final = 60.0
"""How long windows may take to say what they say, after their flights were answered."""
FIRST_S: Final = 15.0
"""After which a canary that its windows say too little of is given one more day: latencies of a busy machine differ."""
REACH_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Control:
    """What runs beside the stack.

    Attributes:
        installation: whose keys and settings it has.
        office: people who ask.
        agent: what serves.
        parts: all of them.
    """

    installation: Installation
    office: Office
    agent: ServingAgent
    parts: tuple[Part, ...]

    @property
    def packages(self) -> Path:
        """Where packages are made."""
        return self.installation.folder / "packages"


def begin(settings: Settings, folder: Path, running: ExitStack) -> Control:
    """Begin an installation, and start the controller, a witness, a serving agent and the worker that retrains.

    Args:
        settings: of the stack.
        folder: of the demo.
        running: stops them.
    """
    made = establish(settings, folder / FOLDER, LIVE)
    directory = DataDirectory(folder)

    def part(name: str, words: tuple[str, ...], of: Settings, said: str) -> Part:
        return Part(name, words, of, log=directory.log(name), cwd=made.folder, said=said, role=name)

    commands = _commands(made, folder)
    agent = ServingAgent(made.settings, log=directory.log("agent"), cwd=made.folder)
    parts = (
        part("controller", ("controller",), made.of_controller(), r"commands go on at offset"),
        part(
            "retrain",
            ("worker", "retrain", "--commands", str(commands), "--memory", str(made.folder / "retrain.json")),
            made.of_retraining(),
            "",
        ),
        part(
            "witness",
            (
                *("audit", "witness", "--name", WITNESS_NAME),
                *("--key", str(made.key_file(WITNESS)), "--store", str(made.folder / WITNESS)),
            ),
            made.settings,
            r"signed \d+ records",
        ),
        agent,
    )
    running.callback(stop_together, parts)
    for one in parts:
        one.begin()
    office = Office(made, LIVE)
    running.callback(office.close)
    return Control(made, office, agent, parts)


def _commands(made: Installation, folder: Path) -> Path:
    """The file that says what retrains `flights`."""
    names = ["PATH", "HOME", "PYTHONPATH", "DRIFTLINE_KAFKA_BOOTSTRAP", "DRIFTLINE_CONTROL_GENESIS"]
    names += ["DRIFTLINE_CONTROL_KEY", "DRIFTLINE_PACKAGES_STORE"]
    names += ["DRIFTLINE_LOCAL_SECURE", "DRIFTLINE_LOCAL_DATA_DIR", *ONE_THREAD]
    table = {
        "deployments": ["flights"],
        "argv": [sys.executable, "-m", "driftline.deploy.demo.retrain", str(folder.absolute())],
        "folder": str(folder.absolute()),
        "timeout_s": RETRAIN_S,
        "environment": names,
    }
    lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in table.items()]
    file = made.folder / "retrain.toml"
    file.write_text("\n".join(["[commands.flights]", *lines]) + "\n")
    return file


def first_champion(here: Control, scored: Scored, reference: Path) -> None:
    """Register the model that was trained first, and let it answer once all parts run; two people approve.

    Raises:
        StackError: a part does not start.
        AskingError: a command is refused.
    """
    for one in here.parts:
        one.wait_ready()
    made = Made(FIRST, scored.model, reference, "says at departure whether it arrives late")
    packed(made, here.packages, here.installation.settings.packages, here.installation.key(ENGINEER))
    _register(here, FIRST, "learnt from January and February")
    _validate(here, FIRST, reference, "its AUC on days it had not seen is enough to begin")
    here.office.ask(
        "create", ENGINEER, lambda board: board.version(LIVE, FIRST), "the first model", APPROVERS
    )


def retrained(here: Control, advice: Advice) -> AuditRecord:
    """Tell the advice, and wait until what retrained by it has registered its model."""
    tell(here.installation.settings, advice, time.time_ns() // 1_000_000)
    return here.office.wait(
        lambda one: one.op == "register" and one.event == "effective" and one.actor == RETRAINING,
        RETRAIN_S,
        "a retrained model",
    )


def load_of(here: Control, flights: Any) -> Load:  # noqa: ANN401 - a table of pyarrow, which is not typed
    """A departure board that asks for July's flights, and those after them."""
    times = pc.cast(flights["event_time"], "int64")
    canary, settled, end = CALENDAR["canary"][0], CALENDAR["a day later"][1], pc.max(times).as_py() + 1
    spans = ((JULY_MS, canary, OFTEN_MS), (canary, settled, CLOSELY_MS), (settled, end, SELDOM_MS))
    boards = (
        asks(flights.filter(pc.and_(pc.greater_equal(times, begin), pc.less(times, until))), width_ms)
        for begin, until, width_ms in spans
    )
    return Load(here.agent.port, LIVE, here.installation.token, chain.from_iterable(boards))


def walk(here: Control, load: Load, folder: Path) -> Iterator[str]:
    """Lead the retrained version to its promotion, under load; gives a sentence for each stage that is so."""
    office = here.office
    _validate(here, SECOND, folder / FOLDER / "reference-2.parquet", "better on days it had not seen")
    office.ask("shadow", ENGINEER, _of(SECOND), "the same flights, unheard", APPROVERS[:1])
    yield "version 2 is asked as a shadow: the same flights, nobody hears its answers"
    load.reach(*CALENDAR["canary"], REACH_S)
    plan = Plan(steps=(Step(weight=HALF, min_rows=1_000),), max_wait_s=REACH_S)
    begun = office.ask("canary", ENGINEER, _of(SECOND, plan), "half of the boards", APPROVERS[:1])
    yield "version 2 is a canary: half of the requests are answered by it"
    load.reach(*CALENDAR["promote"], REACH_S)
    moved = office.seen(lambda one: _moved_after(one, begun), FIRST_S)
    if moved is None:
        load.reach(*CALENDAR["a day later"], REACH_S)
        moved = office.wait(lambda one: _moved_after(one, begun), WINDOWS_S, "a verdict on the canary")
    if "passed" not in moved.reasons[0]:
        raise AskingError(f"version 2 is not promoted: {moved.reasons[0]}")
    yield f"the controller, by windows of both: {moved.reasons[0]}"
    # What else this machine does a moment later makes latencies differ by chance: people would go back, not windows.
    office.ask("promote", ENGINEER, _of(SECOND, Plan(automatic_rollback=False)), "passed", APPROVERS)
    yield "two people approved: version 2 answers everybody"
    office.ask("shadow", ENGINEER, _of(FIRST), "what the old one would have said", APPROVERS[:1])
    yield "version 1 is asked as a shadow, to be held against it"


def bad_one(here: Control, scored: Scored, folder: Path) -> None:
    """Pack and register a model whose label was turned round: it says who arrives on time, and calls that late."""
    known = scored.reference.drop_columns(["landed"])
    features, late = matrix(scored.year), known["target"].to_numpy()
    early = pc.less(pc.cast(scored.year["event_time"], "int64"), _end_ms(known)).to_numpy()
    usable = early & pc.is_valid(scored.year["target"]).to_numpy()
    with threadpool_limits(1):
        model = fit(features[usable], ~late)
        scores = model.predict_proba(features[usable])[:, 1]
    turned = with_scores(known, scores, np.ones(len(late), bool))
    place = turned.column_names.index("target")
    file = folder / FOLDER / "reference-3.parquet"
    pq.write_table(turned.set_column(place, "target", pc.invert(known["target"])), file)
    purpose = "says at departure whether a flight will arrive late; its label was turned round by mistake"
    made = Made(BAD, model, file, purpose, "in-sample")
    packed(made, here.packages, here.installation.settings.packages, here.installation.key(ENGINEER))
    _register(here, BAD, "a quick one")
    _validate(here, BAD, file, "looks well on what it learnt from")


def taken_back(here: Control, load: Load) -> AuditRecord:
    """Promote the bad version by breaking the glass, and wait until windows have taken it back.

    On this tier it must have been a shadow and a canary, whoever is in a hurry; nobody waits for windows of it.
    """
    ask, hurry = here.office.ask, "the site is down, they say"
    ask("shadow", ENGINEER, _of(BAD), hurry, APPROVERS[:1])
    steps = (Step(weight=HALF, min_rows=1_000),)
    ask("canary", OPERATOR, _of(BAD, Plan(steps=steps, max_wait_s=REACH_S), break_glass=True), hurry)
    begun = ask("promote", OPERATOR, _of(BAD, Plan(bake_s=600), break_glass=True), hurry)
    load.reach(*CALENDAR["back"], REACH_S)
    return here.office.wait(
        lambda one: one.seq > begun.seq and one.event == "moved" and "gone back" in one.reasons[0],
        WINDOWS_S,
        "the bad version being taken back",
    )


def _end_ms(flights: Any) -> int:  # noqa: ANN401 - as above
    return int(pc.max(pc.cast(flights["event_time"], "int64")).as_py()) + 1


def _moved_after(one: AuditRecord, begun: AuditRecord) -> bool:
    words = ("passed", "taken back")
    return one.seq > begun.seq and one.event == "moved" and any(word in one.reasons[0] for word in words)


def _of(version: str, plan: Plan | None = None, *, break_glass: bool = False) -> Any:  # noqa: ANN401 - a function
    """Fields that name a version in the state that is."""

    def fields(board: Board) -> dict[str, Any]:
        return {**board.version(LIVE, version), "plan": plan, "break_glass": break_glass}

    return fields


def _register(here: Control, version: str, reason: str) -> None:
    signed, text = packaged(here.packages / f"late-flights-{version}")
    profile = signed.manifest.profile
    fields = {
        "model": signed.ref,
        "manifest": text,
        "profile": None if profile is None else profile.digest,
    }
    here.office.ask("register", ENGINEER, lambda _: fields, reason)


def _validate(here: Control, version: str, evidence: Path, reason: str) -> None:
    """Let another person say that a version is fit for use, by the digest of what was looked at."""
    looked_at = hashlib.sha256(evidence.read_bytes()).hexdigest()
    here.office.ask(
        "validate", VALIDATOR, lambda board: {**board.version(LIVE, version), "evidence": looked_at}, reason
    )
