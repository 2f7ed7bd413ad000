"""`driftline serve`: answer with models, over the Open Inference Protocol v2."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftline.deploy.cli.output import log_to_stderr

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings


@click.command("serve")
@click.option(
    "--processes", type=click.IntRange(1, 64), help="Whole instances on one port; over the setting."
)
@click.option("--host", metavar="ADDRESS", help="Over the setting serve.host.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Over the setting serve.port; 0 takes a free one."
)
@click.option(
    "--upstream", metavar="URL", help="A v2 server that answers in place of packages that are loaded here."
)
@click.option(
    "--package",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Serve this package alone, without an installation; with --deployment and --by.",
)
@click.option("--deployment", metavar="NAME", help="What the package serves.")
@click.option(
    "--by",
    "signers",
    metavar="KEY",
    multiple=True,
    help="A public key that may sign the package, as 'driftline keys new' prints it; may be repeated.",
)
@click.option("--number", type=int, hidden=True)
def command(
    processes: int | None,
    host: str | None,
    port: int | None,
    upstream: str | None,
    package: Path | None,
    deployment: str | None,
    signers: tuple[str, ...],
    number: int | None,
) -> int:
    """Answer requests with the models that signed states name, until told to stop (SIGTERM or Ctrl-C).

    Every state is verified here before it is believed: the controller's signature, the command it rests on, the
    approvals, the package. Without Kafka the agent serves on; after a restart it serves what it believed last.
    """
    # Before a library of models is loaded. Threads of OpenMP wait for one another by spinning: on cores that others use
    # too, two of them took ten times as long for an answer as one does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

    import msgspec

    from driftline.deploy.local.discover import settings_here
    from driftline.deploy.serving import processes as several
    from driftline.deploy.serving.start import Single, run
    from driftline.deploy.serving.warned import warn_once
    from driftline.schemas.names import name_fault

    log_to_stderr()
    warn_once()
    single = None
    if package is not None:
        if not deployment or not signers:
            raise click.UsageError("a package alone needs --deployment NAME and --by KEY")
        wrong = name_fault(deployment, slash=False)
        if wrong is not None:
            raise click.UsageError(f"--deployment {deployment[:100]!r} is no name of a deployment: {wrong}")
        single = Single(package, deployment, signers)
    elif deployment or signers:
        raise click.UsageError(
            "--deployment and --by go with --package; serve.deployments names those of an installation"
        )
    if upstream is not None and not re.match(r"https?://[^/]", upstream):
        raise click.UsageError(
            f"--upstream {upstream[:100]!r} is no address of a v2 server: give one as http://127.0.0.1:8000"
        )
    settings: Settings = settings_here(os.environ, Path.cwd(), required=False, role="agent")
    given = {"host": host, "port": port, "processes": processes, "upstream": upstream}
    serve = msgspec.structs.replace(
        settings.serve, **{name: value for name, value in given.items() if value is not None}
    )
    settings = msgspec.structs.replace(settings, serve=serve)
    if serve.processes > 1:
        return several.run(serve, single)
    return run(settings, single, number)
