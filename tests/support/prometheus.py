"""The real Prometheus (Debian's) as a child process, with the rules and the scraping of deploy/prometheus."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alertmanager import is_ready
from emit_rig import wait_for
from programs import needed

from driftline.deploy.rules.build import Wishes, rule_files

LOCAL = Path(__file__).parents[2] / "deploy" / "prometheus" / "local.yml"


@contextmanager
def prometheus(
    folder: Path, port: int, manager: int, targets: Path, most_hold_s: int | None
) -> Iterator[str]:
    """Run it on a port as beside `driftline up`, but for how often it looks where alerts are held shortly.

    Args:
        folder: for its files.
        port: a free one.
        manager: port of Alertmanager.
        targets: what tells it of workers.
        most_hold_s: how long alerts are held at most, s; None as they are written.
    """
    rules = folder / "rules"
    rules.mkdir()
    for name, text in rule_files(Wishes(most_hold_s=most_hold_s)).items():
        (rules / name).write_text(text)
    text = (
        LOCAL.read_text()
        .replace(":9093", f":{manager}")
        .replace("../../.driftline/targets.json", str(targets))
    )
    if most_hold_s is not None:
        text = text.replace("_interval: 5s", "_interval: 1s")
    (folder / "prometheus.yml").write_text(text)
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [needed("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
             f"--storage.tsdb.path={folder / 'prometheus'}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
    try:
        wait_for(lambda: is_ready(port), "Prometheus is ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
