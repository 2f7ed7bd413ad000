"""What a person may ask of a replay, and what is refused with one sentence before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline.deploy.cli import replay_make
from driftline.deploy.cli.replay import command
from driftline.deploy.cli.replay_floors import FlooredSettings, floors_of
from driftline.deploy.cli.replay_make import Asked, check
from driftline.deploy.tables.shelf import NoProfileError
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.run import watermark
from driftline.streams.windows.book import NEVER

DAY_MS = 86_400_000


def asked(**over: object) -> Asked:
    """A replay of one day."""
    words: dict[str, object] = {
        "deployment": "churn",
        "since_ms": 0,
        "until_ms": DAY_MS,
        "profile": None,
        "resolution": None,
        "floors": None,
        "source": None,
        "run": "again",
    }
    return Asked(**{**words, **over})  # type: ignore[arg-type]


def test_floors_that_are_named_are_set() -> None:
    """Floors that are named hold in the replay, whatever is declared; the other of a metric is its default."""
    floors = floors_of("psi.warn=0.2, psi.fail=0.4,auc.fail=0.07")
    assert (floors["psi"].warn, floors["psi"].fail) == (0.2, 0.4)
    assert (floors["auc"].warn, floors["auc"].fail) == (0.03, 0.07)
    settings = FlooredSettings(floors).settings("churn", 0)
    assert (settings.floor("auc").fail, settings.floor("brier").warn) == (0.07, 0.05)


@pytest.mark.parametrize(
    ("floors", "says"),
    [
        ("pis.warn=1", "floor 'pis.warn=1' is of no metric: did you mean 'psi'?"),
        ("psi.warn=x", "write psi.warn=X or psi.fail=X"),
        ("psi.alarm=1", "write psi.warn=X or psi.fail=X"),
        ("psi.warn=nan", "write psi.warn=X or psi.fail=X"),
        ("psi.warn=0.9", "floor psi.warn=0.9 is above psi.fail=0.25: set both"),
    ],
)
def test_a_floor_that_is_none_is_refused(floors: str, says: str) -> None:
    """A floor of an unknown metric, of one without a verdict, without a number, or upside down is one sentence."""
    with pytest.raises(ReplayError) as refused:
        check(asked(floors=floors))
    assert says in str(refused.value)


def test_a_profile_that_is_neither_version_nor_file_is_refused(tmp_path: Path) -> None:
    """Whatever is asked for, a name that no file can have too."""
    for name in ("2", str(tmp_path / "none"), "x" * 5_000):
        with pytest.raises(
            NoProfileError, match="is neither a published version of deployment 'churn' nor a file"
        ):
            replay_make._instead(asked(profile=name), {})


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    """Since must lie before until."""
    with pytest.raises(
        ReplayError, match="since 1970-01-02T00:00:00Z is not before until 1970-01-02T00:00:00Z"
    ):
        check(asked(since_ms=DAY_MS))


def test_a_name_that_is_none_is_refused() -> None:
    """A run is named as a deployment is."""
    with pytest.raises(ReplayError, match="cannot name a run: it is empty"):
        check(asked(run=""))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--name", "live"], "choose another name, or --restate"),
        (["--name", "x", "--restate"], "not both"),
    ],
)
def test_the_live_run_has_no_second_writer_by_name(words: list[str], says: str) -> None:
    """The name of the live run is refused, and a name beside --restate."""
    found = CliRunner().invoke(command, ["churn", "--since", "2025-01-01", "--until", "2025-02-01", *words])
    assert found.exit_code == 2
    assert says in found.output


def test_the_clock_closes_windows_of_a_silent_stream() -> None:
    """The watermark of a stream read to its end is its own, or the end of its last windows that the clock passed."""
    assert watermark(NEVER, DAY_MS, 0) == NEVER
    assert watermark(DAY_MS + 5, DAY_MS + 10, 3) == DAY_MS + 2
    assert watermark(DAY_MS + 5, 9 * DAY_MS, 3) == 2 * DAY_MS
