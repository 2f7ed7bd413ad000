"""docs/alerts.md says what the code does."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from bad_windows import OneBook, window

from driftline.schemas.deployment import AlertRule, Subject
from driftline.schemas.routes import MOST_ROUTES, read_routes
from driftline.streams.alerts import (
    advising,
    alertmanager,
    case,
    changing,
    coverage,
    desk,
    entering,
    track,
    verdicts,
    webhook,
)
from driftline.streams.alerts.windows import take


@pytest.fixture
def page() -> str:
    """The page."""
    return (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_every_subject_is_explained(page: str) -> None:
    """The table has a row for each subject that settings and mutes may name."""
    rows = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    assert set(get_args(Subject)) <= set(re.findall(r"`(\w+)`", rows))


def test_the_check_of_a_signature_works(page: str) -> None:
    """The code of the page takes what the worker sends, and nothing that was changed, or is old."""
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    names: dict[str, Any] = {"hmac": hmac, "hashlib": hashlib}
    exec(code[1], names)  # noqa: S102 - the page's own lines
    book = OneBook(alerts=AlertRule(k=1, m=1))
    (edge,) = take(case.Case(deployment="shop"), window(0, 0, {"x": "fail"}), book, 5)
    secret, body = b"sixteen letters.", webhook.body(edge)
    sent = webhook.headers(edge.id, body, secret, 1_000)
    is_genuine = names["is_genuine"]
    assert is_genuine(sent, body, secret, 1_010)
    assert not is_genuine(sent, body + b" ", secret, 1_010)
    assert not is_genuine(sent, body, b"another letters.", 1_010)
    assert not is_genuine(sent, body, secret, 1_400)


def test_the_file_of_routes_is_one(page: str, tmp_path: Path) -> None:
    """What the page shows is taken, once the secret is where it says."""
    text = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert text
    secret, file = tmp_path / "secret", tmp_path / "routes.toml"
    secret.write_text("sixteen letters.")
    file.write_text(text[1].replace("/etc/driftline/chat.secret", str(secret)))
    assert [one.kind for one in read_routes(file, {}).values()] == ["webhook", "alertmanager"]


def test_the_bounds_are_those_of_the_code(page: str) -> None:
    """Each bound of the table is the constant."""
    found = [
        line.split("|")[2].strip() for line in page[page.index("## Bounds") :].splitlines() if "|" in line
    ][2:]
    wanted = [case.OPEN, track.MARKS, entering.TRACKS, track.SOURCES, coverage.MATURING, desk.CASES,
              desk.CASE_BYTES / 1e6, verdicts.EVIDENCE, advising.WINDOWS, changing.TRACKERS, changing.FEATURES,
              advising.VERSIONS, advising.FEATURES, alertmanager.MOST, MOST_ROUTES]  # fmt: skip
    assert [float(text.split()[0].replace(",", "")) for text in found] == wanted
