"""Locally: halts and rollbacks given to an agent of this machine over its socket, when Kafka is away."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.control.signing import sign
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.local import ABOUT, ANSWER_S, NAME, ask
from driftline.deploy.control.asking import loaded
from driftline.deploy.control.drafts import drafted
from driftline.deploy.control.files import text_of
from driftline.schemas.control.envelope import COMMAND, MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from driftline.schemas.control.command import Command, Op
    from driftline.schemas.settings import Settings

AT_ONCE: Final = 64
"""Agents asked at a time; more wait for these."""
ABOUT_S: Final = 3.0
"""That an agent may take to say what it serves: those that wait to obey wait as long."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be halted.

    Attributes:
        deployment: where.
        instead: version that answers instead.
        back_to: version to roll back to, in place of a halt.
        reason: why.
        rollout: whether the rollout alone is halted.
    """

    deployment: str
    instead: str | None
    back_to: str | None
    reason: str
    rollout: bool = False


def given(
    settings: Settings, paths: Sequence[Path], wanted: Wanted, keys: Sequence[Path], approvals: Sequence[Path]
) -> dict[str, Any]:
    """Build, sign and give a command; tells which instances obey.

    Args:
        settings: where the agents keep their state.
        paths: sockets of agents; none are all of those.
        wanted: what is to be halted.
        keys: key files.
        approvals: envelopes.

    Raises:
        ServingError: an agent does not answer or does not obey, whatever the others do, or none serves that.
        AskingError: the command cannot be built.
    """
    signers = loaded(keys, settings.control.key)
    places = list(dict.fromkeys(paths)) or found(Path(settings.serve.state_dir))
    silent: list[str] = []
    told = list(_answers(places, ABOUT, silent, ABOUT_S))
    if not told:
        raise ServingError("; ".join(silent))
    serving = {place: about for place, about in told if wanted.deployment in about["deployments"]}
    if not serving:
        about = told[0][1]
        there = ", ".join(sorted(about["deployments"])) or "nothing"
        raise ServingError(f"{about['instance']} does not serve {wanted.deployment!r}; it serves {there}")
    command = _command(wanted, list(serving.values()))
    envelope = sign(COMMAND, command.to_bytes(), *signers)
    texts = [text_of(one, MAX_BYTES) for one in approvals]
    line = msgspec.json.encode({"command": envelope.to_bytes().decode(), "approvals": texts})
    obeys = _obeying(serving, line + b"\n", silent)
    return {"instances": obeys, "op": command.op, "command": envelope.digest, "deployment": wanted.deployment}


def _command(wanted: Wanted, serving: Sequence[dict[str, Any]]) -> Command:
    """The command for what the newest of the agents believes; raises ServingError for a version that it knows not."""
    about = max(serving, key=lambda one: int(one["deployments"][wanted.deployment]["revision"]))
    known = about["deployments"][wanted.deployment]
    op: Op = "rollback" if wanted.back_to else "halt-rollout" if wanted.rollout else "halt-serving"
    version = wanted.back_to or wanted.instead
    fields: dict[str, Any] = {"deployment": wanted.deployment, "reason": wanted.reason}
    if version is not None:
        models = {one["version"]: one for one in known["versions"]}
        if version not in models:
            raise ServingError(
                f"{wanted.deployment} knows no version {version!r}; it knows {', '.join(models)}"
            )
        fields["model"] = models[version]
    if op == "rollback":
        fields["expected_revision"] = known["revision"]
    now_ms = time.time_ns() // 1_000_000
    return drafted(op, about["installation"], now_ms=now_ms, chance=os.urandom, **fields)


def _obeying(serving: dict[Path, dict[str, Any]], line: bytes, silent: list[str]) -> list[str]:
    """Give a command to agents; names those that obey, and raises ServingError unless all do and keep it."""
    obeys, unkept = [], []
    for place, answer in _answers(serving, line, silent, ANSWER_S):
        if answer.get("ok"):
            obeys.append(serving[place]["instance"])
            unkept += [f"{place}: {answer['warning']}"] if "warning" in answer else []
        else:
            silent.append(f"{place}: {answer.get('error', 'the agent gave no reason')}")
    if silent:
        some = f"obeyed by {', '.join(obeys)}, and not by all: " if obeys else ""
        raise ServingError(some + "; ".join([*silent, *unkept]))
    if unkept:
        raise ServingError("; ".join(unkept))
    return obeys


def _answers(
    places: Collection[Path], line: bytes, silent: list[str], answer_s: float
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Ask all agents at once: one that is gone or hangs keeps no other from obeying; why it is silent is put down."""
    with ThreadPoolExecutor(min(len(places), AT_ONCE), thread_name_prefix="driftline-halt") as pool:
        asked = [(place, pool.submit(ask, place, line, answer_s)) for place in places]
        for place, answer in asked:
            try:
                yield place, answer.result()
            except ServingError as error:
                silent.append(str(error))


def found(folder: Path) -> list[Path]:
    """The sockets of the agents that keep their state below a folder; raises ServingError when there is none."""
    sockets = sorted(folder.glob(f"*/{NAME}"))
    if not sockets:
        raise ServingError(
            f"no agent keeps its state below {folder}: set DRIFTLINE_SERVE_STATE_DIR to what the agents have, or name "
            "a socket with --socket"
        )
    return sockets
