"""`driftline audit verify`: whether the history is the one that was written, and what to say where it is not."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.audit_source import Read, export_option, genesis_option, pinned, what_lies
from driftline.deploy.cli.output import json_option, print_json
from driftline.deploy.cli.telling import telling

if TYPE_CHECKING:
    from driftline.agents.audit.checkpoint import Checkpoint
    from driftline.agents.audit.report import Report
    from driftline.schemas.settings import Settings

MOST_LEANING = 1_000
LATE_MS = 3 * 60_000
"""Records have a checkpoint with them, which a witness signs within seconds: so old, they lack one."""


@click.command("verify")
@export_option
@genesis_option
@click.option("--signatures", is_flag=True, help="Check every signature in the records too.")
@click.option(
    "--remembered", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where the last good verification is remembered; by default in the data directory, and nowhere for an export.",
)  # fmt: skip
@click.option(
    "--unwitnessed",
    is_flag=True,
    help="Be content with a log that no witness has signed and nobody remembers.",
)
@click.option(
    "--proof", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
    help="Check the proof of one record, by --key alone.",
)  # fmt: skip
@click.option(
    "--key", "keys", multiple=True, metavar="VKEY",
    help="With --proof: a key of the log or of a witness that is believed, as 'driftline keys list' prints it; "
    "may be repeated.",
)  # fmt: skip
@json_option
def verify(
    folder: Path | None, genesis: str | None, signatures: bool, remembered: Path | None, unwitnessed: bool,
    proof: Path | None, keys: tuple[str, ...], as_json: bool,
) -> int:  # fmt: skip
    """Verify the whole audit; ends with 1, naming the record, when it is not as it was written.

    Each record must name the one before, all of them must lead to the root of every checkpoint, and record 0 must be
    the one that is pinned. A witness's checkpoint, or what was remembered here, must vouch for it: a log alone cannot.
    """
    from driftline.agents.audit.report import Pins
    from driftline.agents.audit.verify import Verifier

    if proof is not None:
        return _proved(proof, keys, as_json)
    settings, read, notes = what_lies(folder)
    pin = pinned(settings, genesis)
    memory = remembered or (None if folder else _memory(settings, pin))
    with telling("verifying the audit"):
        report = Verifier(Pins(pin, _recalled(memory)), notes, signatures=signatures).run(read())
    leaning = _leaning(read, report)
    wrong = _wrong(report, unwitnessed=unwitnessed)
    if as_json:
        print_json(
            {**report.plain(), "ok": wrong is None, "leaning": [{"seq": s, "key": k} for s, k in leaning]}
        )
    else:
        _show(report, leaning, None if folder else time.time_ns() // 1_000_000)
    if wrong is not None:
        click.echo(f"driftline: the audit fails: {wrong}", err=True)
        return 1
    if memory is not None:
        _remember(memory, report.head)
    return 0


def _wrong(report: Report, *, unwitnessed: bool) -> str | None:
    if report.fault is not None:
        return str(report.fault)
    if not report.is_anchored and not unwitnessed:
        return (
            "nothing outside of the log vouches for it: run 'driftline audit witness', or accept this once with "
            "--unwitnessed, and it is remembered"
        )
    return None


def _leaning(read: Read, report: Report) -> list[tuple[int, str]]:
    from driftline.agents.audit.signatures import leaning

    if report.fault is not None or not report.compromised:
        return []
    return list(islice(leaning(read(), report.compromised), MOST_LEANING))


def _show(report: Report, leaning: list[tuple[int, str]], now_ms: int | None) -> None:
    from driftline.agents.audit.report import BLIND
    from driftline.deploy.control.shown import moment

    click.echo(
        f"{report.verified:,} of {report.records:,} records of {report.origin or 'this log'} are verified"
    )
    click.echo(f"{report.checkpoints:,} checkpoints of the log agree with them")
    if report.witnessed:
        when = moment(report.witnessed_at_s * 1000)
        click.echo(f"{report.witnessed:,} are witnessed by {', '.join(report.witnesses)}, last at {when}")
    if report.remembered:
        click.echo(f"{report.remembered:,} are as an earlier verification found them")
    if report.tail and report.tail_since_ms is not None:
        click.echo(
            f"{report.tail:,} are signed by no witness yet, the first of {moment(report.tail_since_ms)}"
        )
        if now_ms is not None and now_ms - report.tail_since_ms > LATE_MS:
            click.echo("that is longer ago than a witness takes: see that controller and witness run")
    if report.signatures:
        click.echo(f"{report.signatures:,} signatures in them hold")
    if report.unsigned:
        click.echo(f"{report.unsigned:,} notes beside it are not the log's and count nothing")
    for seq, keyid in leaning:
        since = moment(report.compromised[keyid])
        click.echo(f"record {seq} leans on key {keyid[:16]}, which is not to be trusted since {since}")
    if len(leaning) == MOST_LEANING:
        click.echo(f"{MOST_LEANING:,} of these are shown, and there may be more")
    else:
        for keyid in sorted(report.compromised.keys() - {keyid for _, keyid in leaning}):
            click.echo(
                f"no record carries a signature of key {keyid[:16]} since {moment(report.compromised[keyid])}, when it "
                "was not to be trusted any more; what a controller, the log or a witness signs lies elsewhere"
            )
    click.echo(BLIND)


def _proved(file: Path, keys: tuple[str, ...], as_json: bool) -> int:
    from driftline.agents.audit.errors import AuditError
    from driftline.agents.audit.notes import PLAIN, TIMED, NoteKey
    from driftline.agents.audit.proof_file import Proof
    from driftline.schemas.whole import read_whole

    known = [NoteKey.parse(text) for text in keys]
    logs, witnesses = ([key for key in known if key.kind == kind] for kind in (PLAIN, TIMED))
    if not logs:
        raise AuditError(
            "give the key of the log that is believed: --key VKEY, as 'driftline keys list' prints it"
        )
    try:
        proof = Proof.parse(read_whole(file))
    except OSError as error:
        raise AuditError(f"{file} cannot be read: {error.strerror}") from error
    found = proof.check(logs, witnesses)
    names = [name for name, _ in found.witnesses]
    if as_json:
        record = proof.record.decode(errors="replace")
        print_json({"seq": proof.seq, "size": found.checkpoint.size, "witnesses": names, "record": record})
    else:
        by = f", which {' and '.join(names)} signed too" if names else ""
        click.echo(f"record {proof.seq} lies in the checkpoint of {found.checkpoint.size:,} records{by}")
    return 0


def _memory(settings: Settings, pin: str) -> Path:
    from driftline.deploy.local.discover import data_directory

    return data_directory(settings, Path.cwd()).root / "audit" / f"{pin}.checkpoint"


def _recalled(memory: Path | None) -> Checkpoint | None:
    from driftline.agents.audit.checkpoint import Checkpoint
    from driftline.agents.audit.errors import AuditError, NoteError
    from driftline.agents.audit.notes import Note
    from driftline.schemas.whole import read_whole

    if memory is None or not memory.exists():
        return None
    try:
        return Checkpoint.of(Note(read_whole(memory).decode(), ()))
    except (OSError, UnicodeDecodeError, NoteError) as error:
        raise AuditError(
            f"what was remembered in {memory} cannot be read ({error}): look into it before it is removed"
        ) from error


def _remember(memory: Path, head: Checkpoint) -> None:
    from driftline.agents.atomic import write_atomically
    from driftline.agents.audit.errors import AuditError

    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, head.text.encode())
    except OSError as error:
        raise AuditError(f"what was verified cannot be remembered in {memory}: {error.strerror}") from error
