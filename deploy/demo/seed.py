"""Seed: a small installation in folders of its own, and the demo's model as what it serves first.

Each part finds its keys in a folder that it alone is given: `controller`, `agent`, `witness` and `archive` below the
folder; what people hold lies in `office`. A second run finds what is there and goes on where the first one ended.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec
from pyarrow import parquet as pq

from driftline.agents.atomic import write_atomically
from driftline.deploy.control.board import Board
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.manifests import packaged
from driftline.deploy.control.wire import is_empty, wire_of
from driftline.deploy.demo.flights import load_flights
from driftline.deploy.demo.installation import (
    AGENT,
    APPROVERS,
    CHECKPOINTS,
    CONTROLLER,
    ENGINEER,
    TRUSTED_TYPES,
    VALIDATOR,
    WITNESS,
    Installation,
    establish,
)
from driftline.deploy.demo.model import train_and_score
from driftline.deploy.demo.office import Office
from driftline.deploy.demo.served import LIVE, Made, packed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from driftline.schemas.settings import Settings

VERSION: Final = "1"
GENESIS: Final = "genesis"
"""The file, beside the keys of each part, that holds what it pins."""
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "controller": (CONTROLLER, CHECKPOINTS),
    "agent": (AGENT,),
    "witness": (WITNESS,),
    "archive": (),
}
"""Folder of a part -> the keys that it holds; the archive holds none, and pins what it obeys."""
TOKENS: Final = "tokens.toml"
_OFFICE: Final = "office"
_WITHIN: Final = "installation"
"""Made below `office`, since the folder itself may be a mount."""


def begin(settings: Settings, folder: Path) -> bool:
    """Make every key, write the first record of the audit, and hand each part its keys; False when that is so already.

    Args:
        settings: that reach Kafka, whose topics are there.
        folder: where the folders lie.

    Raises:
        AskingError: the audit has a first record, and its keys are not in `folder`.
        BrokerError: Kafka does not take the record.
    """
    if _pinned(folder).exists():
        for part in PARTS:  # one that an earlier release did not know pins the same
            (folder / part).mkdir(exist_ok=True)
            if not (folder / part / GENESIS).exists():
                _copied(_pinned(folder), folder / part / GENESIS)
        return False
    if not is_empty(settings.kafka):
        raise AskingError(
            f"the audit has a first record, and {folder} does not hold its keys: give the folder that does, or remove "
            "Kafka's data too"
        )
    (folder / _OFFICE).mkdir(exist_ok=True)
    place = _place(folder)
    shutil.rmtree(place, ignore_errors=True)  # of a run that ended before there was a first record
    made = establish(settings, place, LIVE)
    for part, keys in PARTS.items():
        (folder / part).mkdir(exist_ok=True)
        for key in keys:
            _copied(made.key_file(key), folder / part / f"{key}.pem")
        _copied(_written(place / GENESIS, made.settings.control.genesis), folder / part / GENESIS)
    _copied(place / TOKENS, folder / "agent" / TOKENS)
    _written(_pinned(folder), made.settings.control.genesis)
    return True


def first_model(settings: Settings, folder: Path, say: Callable[[str], None]) -> bool:
    """Train the demo's model, and let it answer, approved by two people; False when a model answers already.

    Args:
        settings: that reach Kafka, and name the store of packages that the agents read.
        folder: as `begin` left it; a controller and an agent run with what lies there.
        say: told what takes time.

    Raises:
        AskingError: a command is refused, or the controller or the agent does not answer.
    """
    here = _installation(settings, folder)
    stage = _stage(here.settings)
    if stage not in ("", "registered", "validated"):
        return False
    reference, package = (
        here.folder / "reference.parquet",
        here.folder / "packages" / f"late-flights-{VERSION}",
    )
    if stage == "":
        say("training a model on the flights of January and February 2013")
        scored = train_and_score(load_flights())
        pq.write_table(scored.reference.drop_columns(["landed"]), reference)
        shutil.rmtree(package, ignore_errors=True)
        purpose = "says at departure whether a flight will arrive late"
        made = Made(VERSION, scored.model, reference, purpose)
        packed(made, package.parent, here.settings.packages, here.key(ENGINEER))
    with closing(Office(here, LIVE)) as office:
        if stage == "":
            say("registering it")
            office.ask("register", ENGINEER, lambda _: _registered(package), "the demo's model")
        if stage != "validated":
            evidence = hashlib.sha256(reference.read_bytes()).hexdigest()
            office.ask(
                "validate", VALIDATOR, lambda board: _of(board) | {"evidence": evidence}, "fit to begin"
            )
        say("letting it answer")
        office.ask("create", ENGINEER, _of, "the first model", APPROVERS)
    return True


def _registered(package: Path) -> dict[str, Any]:
    signed, text = packaged(package)
    profile = signed.manifest.profile
    return {"model": signed.ref, "manifest": text, "profile": None if profile is None else profile.digest}


def _of(board: Board) -> dict[str, Any]:
    return board.version(LIVE, VERSION)


def _installation(settings: Settings, folder: Path) -> Installation:
    """What `begin` made."""
    pinned = _pinned(folder)
    if not pinned.exists():
        raise AskingError(f"{folder} holds no installation: 'driftline seed begin {folder}' makes one")
    control = msgspec.structs.replace(settings.control, genesis=pinned.read_text().strip())
    packages = msgspec.structs.replace(settings.packages, trusted_types=",".join(TRUSTED_TYPES))
    here = msgspec.structs.replace(settings, control=control, packages=packages)
    return Installation(here, _place(folder), "")


def _stage(settings: Settings) -> str:
    """How far the first version has come, as the audit tells; nothing when it is not known."""
    with closing(wire_of(settings.kafka)) as wire:
        state = Board(wire, settings.control.genesis).desk.states.get(LIVE)
    known = {} if state is None else {one.model.version: one.stage for one in state.versions}
    return known.get(VERSION, "")


def _place(folder: Path) -> Path:
    return folder / _OFFICE / _WITHIN


def _pinned(folder: Path) -> Path:
    return folder / _OFFICE / GENESIS


def _copied(source: Path, target: Path) -> None:
    """Copy a file that its owner alone may read."""
    write_atomically(target, source.read_bytes())


def _written(path: Path, text: str) -> Path:
    path.write_text(text + "\n", encoding="ascii")
    return path
