"""Producers in other languages as tests build and run them: what they send, and the programs of deploy/examples."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from programs import needed

from driftline.schemas.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
DAY_MS = 86_400_000


def lines(deployment: str, days: dict[int, int]) -> str:
    """Predictions as JSON, one a line: `days` says how many there are by the start of a day, ms since 1970."""
    rows = [
        {
            "deployment": deployment,
            "model_version": "1",
            "id": f"{deployment}-{start_ms}-{number}",
            "time_ms": start_ms + DAY_MS // 2 + number,
            "features": {
                "amount": number + 0.5,
                "plan": ("gold", "plain")[number % 2],
                "new": number > 5,
                "age": None,
            },
            "scores": {"score": number / 100},
            "predicted": "stays",
            "latency_ms": 8.5,
        }
        for start_ms, rows in days.items()
        for number in range(rows)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def go_program(folder: Path) -> list[str]:
    """Build the example in Go, with no module but those of go.sum."""
    program = folder / "predictions"
    ran(
        [needed("go"), "build", "-o", str(program), "."],
        cwd=EXAMPLES / "go",
        env={**os.environ, "GOFLAGS": "-mod=readonly"},
    )
    return [str(program), "-bootstrap", "{bootstrap}", "-topic", "{topic}"]


def java_program(folder: Path) -> list[str]:
    """Build the example in Java in a copy of its folder, and hold its jars against SHA256SUMS."""
    copy = folder / "java"
    shutil.copytree(EXAMPLES / "java", copy, ignore=shutil.ignore_patterns("target"))
    ran([needed("mvn"), "-B", "-q", "-C", "compile"], cwd=copy)
    jars = copy / "target" / "lib"
    ran(["sha256sum", "--check", "--strict", "--quiet", str(copy / "SHA256SUMS")], cwd=jars)
    listed = {line.split()[1] for line in (copy / "SHA256SUMS").read_text().splitlines()}
    assert {jar.name for jar in jars.iterdir()} == listed
    quick = "-XX:TieredStopAtLevel=1"
    return [
        *(needed("java"), quick, "-cp", f"{copy / 'target' / 'classes'}:{jars}/*"),
        *("example.Predictions", "{bootstrap}", "{topic}"),
    ]


def sent(command: list[str], settings: Settings, text: str) -> str:
    """Run a producer on the topic of a lane; gives what it says."""
    topic = f"{settings.kafka.topic_prefix}predictions"
    words = [word.format(bootstrap=settings.kafka.bootstrap, topic=topic) for word in command]
    return ran(words, text=text)


def ran(
    words: list[str], *, cwd: Path | None = None, env: dict[str, str] | None = None, text: str = ""
) -> str:
    """Run a program to its end; fails the test with what it said when it fails."""
    done = subprocess.run(words, cwd=cwd, env=env, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout
