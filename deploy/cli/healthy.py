"""`driftline healthy`: whether what runs here answers, for health checks of containers."""

from __future__ import annotations

import click


@click.command("healthy")
@click.argument("port", type=click.IntRange(1, 65_535))
@click.option(
    "--path", default="/metrics", show_default=True, metavar="PATH", help="What is asked for; 200 is well."
)
def command(port: int, path: str) -> int:
    """Ask PORT of this machine for a path; exit with 1 where nothing answers 200 within two seconds.

    Workers and the controller answer /metrics on worker.metrics_port; a serving agent answers
    /v2/health/ready on serve.port once it serves what it should.
    """
    from driftline.deploy.local.ready import says_ready

    if says_ready(port, path):
        return 0
    click.echo(f"driftline: http://127.0.0.1:{port}{path} does not answer 200", err=True)
    return 1
