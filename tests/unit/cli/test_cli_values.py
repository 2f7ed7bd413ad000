"""Options that take numbers and times refuse what is none."""

from __future__ import annotations

import pytest

from driftline.deploy.cli import main

NAMED = ["--deployment", "d", "--version", "1"]
OPTIONS = {
    "--rate": ["emit", "t.csv", *NAMED],
    "--seconds": ["emit", "t.csv", *NAMED],
    "--ended-after": ["emitters"],
    "--hours": ["health"],
    "--wait": ["dead-letter", "retry", "--all"],
}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "-1", "x", ""])
@pytest.mark.parametrize("option", OPTIONS)
def test_a_number_is_finite_and_in_range(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN passes every comparison and infinity many: both are wrong usage, in one line that names the option."""
    assert main([*OPTIONS[option], option, value]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"Invalid value for '{option}'" in line


def test_a_rate_is_not_so_slow_that_no_clock_counts_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A row in 1,000 seconds is the slowest."""
    assert main(["emit", "t.csv", *NAMED, "--rate", "1e-300"]) == 2
    assert "0.001<=x" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0001-01-01", "9999-12-31", "2024-13-01", "yesterday", ""])
@pytest.mark.parametrize(
    "words",
    [["windows", "d", "--since"], ["windows", "d", "--until"], ["deployment", "apply", "d.toml", "--since"],
     ["dead-letter", "list", "--since"]],
    ids=" ".join,
)  # fmt: skip
def test_a_time_is_one_that_events_have(
    words: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text that is no time, and a time outside 1970 to 2199, are wrong usage in one line that names the option."""
    assert main([*words, value]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"Invalid value for '{words[-1]}'" in line


@pytest.mark.parametrize(
    "words", [["windows", "d"], ["advice", "d"], ["labels", "unmatched", "d"]], ids=" ".join
)
@pytest.mark.parametrize("until", ["2013-04-01", "2013-03-31T23:59"])
def test_a_span_holds_some_time(words: list[str], until: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A span that ends before it begins is wrong usage, not one in which there is nothing."""
    assert main([*words, "--since", "2013-04-01", "--until", until]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--since 2013-04-01T00:00:00Z is not before --until" in line
    assert "give a later --until" in line
