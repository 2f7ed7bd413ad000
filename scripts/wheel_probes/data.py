"""Outside the checkout, what the wheel packages beside modules is found: schemas, SQL, page style, pom, locks."""

import json
import random
import subprocess
import sys
from pathlib import Path

from driftline.schemas import codec
from driftline.streams.clickhouse.migrate import shipped

DRIFTLINE = str(Path(sys.executable).with_name("driftline"))
RECORDS = ("PredictionBatch", "LabelBatch", "EmitterStatus", "Profile", "WindowResult", "DeadLetter")
FINGERPRINT_BYTES = 8


def driftline(*arguments: str) -> str:
    """Run a command and return what it prints; ends the probe when it fails."""
    done = subprocess.run([DRIFTLINE, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"driftline {' '.join(arguments)} ends with {done.returncode}: {done.stderr}")
    return done.stdout


def write_table(name: str, shift: float) -> None:
    """Write a CSV of one numeric feature."""
    draw = random.Random(7)  # noqa: S311 - a table to compare, not a secret
    rows = "\n".join(f"{draw.gauss(shift, 1):.6f}" for _ in range(2000))
    Path(name).write_text(f"amount\n{rows}\n", encoding="utf-8")


if any(len(codec.fingerprint(record)) != FINGERPRINT_BYTES for record in RECORDS):
    sys.exit("a schema has no fingerprint")
if not shipped():
    sys.exit("no migration is packaged")

# Reads the pom, the sums, the package lock; fetches only what the cache does not hold.
driftline("doctor", "--prepare")

write_table("reference.csv", 0)
write_table("current.csv", 2)
lines = driftline("compare", "reference.csv", "current.csv", "--json", "--html", "page.html").splitlines()
if not any(json.loads(line)["verdict"] in ("warn", "fail") for line in lines):
    sys.exit(f"driftline compare sees no drift in a shift of two sigma: {lines[:3]}")
if "<style" not in Path("page.html").read_text(encoding="utf-8"):
    sys.exit("the page of driftline compare carries no style")
