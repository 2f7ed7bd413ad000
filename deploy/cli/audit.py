"""`driftline audit`: reading, verifying, exporting and witnessing the history that nobody rewrites unseen."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import click

from driftline.deploy.cli.audit_restore import restore
from driftline.deploy.cli.audit_source import (
    export_option,
    genesis_option,
    pinned,
    settings_of_stack,
    what_lies,
)
from driftline.deploy.cli.audit_tail import tail
from driftline.deploy.cli.audit_verify import verify
from driftline.deploy.cli.group import Group
from driftline.deploy.cli.output import json_option, log_to_stderr, print_json
from driftline.deploy.cli.telling import telling


@click.group("audit", cls=Group)
def command() -> None:
    """Read, verify and export the audit: who asked for what, who approved, what was decided and what followed.

    What is recorded, and how to verify it without driftline, stands in FORMAT.md, which every export carries.
    """


command.add_command(tail)
command.add_command(verify)
command.add_command(restore)


@command.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def export_command(folder: Path, as_json: bool) -> None:
    """Write the whole audit to FOLDER, as files that anyone can verify without Kafka and without driftline.

    `driftline audit verify --export FOLDER` verifies them here.
    """
    from driftline.agents.audit.export import export
    from driftline.agents.audit.topic import Whole

    whole = Whole(settings_of_stack().kafka)
    with telling("writing the audit"):
        export(folder, whole.records(), whole.notes())
    if as_json:
        print_json({"folder": str(folder), "records": whole.size, "checkpoints": whole.count})
    else:
        click.echo(f"{whole.size:,} records and {whole.count:,} checkpoints written to {folder}")


@command.command("prove")
@click.argument("seq", type=click.IntRange(0))
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where the proof goes, a file that is not there yet; it is printed without this.",
)  # fmt: skip
@export_option
@genesis_option
@json_option
def prove_command(
    seq: int, output: Path | None, folder: Path | None, genesis: str | None, as_json: bool
) -> None:
    """Prove that record SEQ lies in the audit: the record, its way to the root, and a checkpoint with that root.

    The whole log is verified first. The proof needs no log: `driftline audit verify --proof FILE` checks it.
    """
    from driftline.agents.audit.errors import AuditError
    from driftline.agents.audit.proof_file import prove
    from driftline.agents.audit.report import Pins
    from driftline.agents.audit.verify import Verifier

    settings, read, notes = what_lies(folder)
    with telling("verifying the audit"):
        report = Verifier(Pins(pinned(settings, genesis)), notes).run(read())
    if report.fault is not None:
        raise AuditError(f"nothing of this audit is proved: {report.fault}")
    if report.note is None:
        raise AuditError(
            "the log has signed no checkpoint yet: there is nothing that a record could be proved against"
        )
    proof = prove(seq, read(), report.note)
    text = proof.to_bytes()
    if output is not None:
        _write(output, text)
    if as_json:
        record = proof.record.decode(errors="replace")
        print_json({"seq": seq, "record": record, "witnesses": report.witnesses, "proof": text.decode()})
    elif output is None:
        click.echo(text.decode(), nl=False)
    else:
        click.echo(f"the proof of record {seq} is written to {output}")


@command.command("witness")
@click.option(
    "--key", "key_file", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE",
    help="The witness's own key, as 'driftline keys new' makes one.",
)  # fmt: skip
@click.option("--name", required=True, help="The witness's name, as the trust names it.")
@click.option(
    "--store", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="FOLDER",
    help="Where it keeps what it signed; on another disk than the log's, best on another machine.",
)  # fmt: skip
@genesis_option
def witness_command(key_file: Path, name: str, store: Path, genesis: str | None) -> None:
    """Follow the audit until told to stop, and sign each checkpoint that agrees with every record read before.

    It ends with 1, and signs nothing more, once the log is not the one that it signed: records are gone, were edited,
    or the log's own checkpoint contradicts them.
    """
    from driftline.agents.audit.following import follow
    from driftline.agents.audit.store import Store
    from driftline.agents.audit.witness import Witness
    from driftline.agents.control.keys import load

    log_to_stderr()
    settings = settings_of_stack("witness")
    pin, key, stop = pinned(settings, genesis), load(key_file), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with closing(Store(store)) as kept:
        follow(settings.kafka, Witness(pin, name, key, kept.last()), kept, stop, time.time)


def _write(file: Path, text: bytes) -> None:
    from driftline.agents.atomic import write_new
    from driftline.agents.audit.errors import AuditError

    try:
        write_new(file, text, mode=None)
    except FileExistsError as error:
        raise AuditError(f"{file} is there already; a proof is never written over: name another") from error
    except OSError as error:
        raise AuditError(f"{file} cannot be written: {error.strerror}") from error
