"""Every command of the table, with files and names that are not what it needs: one sentence, an exit code, no more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from cli_leaves import Words, every_leaf

from driftline.deploy.cli import main

# What these do stands in other tests: they start a stack, or look at one and say what they find.
OTHERS = {("up",), ("demo",), ("down",), ("doctor",)}
BAD_FILES: dict[str, Callable[[Path], object]] = {
    "gone": lambda _path: None,
    "folder": lambda path: path.mkdir(),
    "empty": lambda path: path.touch(),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "json": lambda path: path.write_text('[1, {"a": null}]'),
    "deep": lambda path: path.write_text("a = " + "[" * 50_000),
    "ragged": lambda path: path.write_text("a,b\n1,2\n3\n"),
    "pipe": os.mkfifo,
    "no\x1b[2Jtext\udcff": lambda path: path.touch(),
}
BAD_TEXTS = ("", "a\nb", "\x1b[31mred", "\udcff", "a/b", "x" * 300)


LEAVES = {path: one for path, one in every_leaf().items() if path not in OTHERS}


def lines(path: Words) -> Iterator[list[str]]:
    """Yield command lines that cannot go well: each file and each name in turn is a bad one."""
    command = LEAVES[path]
    yield line(path, command, {})
    for parameter in command.params:
        name = str(parameter.name)
        if isinstance(parameter.type, click.Path):
            yield from (line(path, command, {name: bad}) for bad in BAD_FILES)
        elif isinstance(parameter, click.Argument) and isinstance(
            parameter.type, click.types.StringParamType
        ):
            yield from (line(path, command, {name: bad}) for bad in BAD_TEXTS)


def line(path: Words, command: click.Command, given: dict[str, str]) -> list[str]:
    """Write a command line: required values are of the right form unless given."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in command.params:
        name = str(parameter.name)
        if name not in given and not parameter.required:
            continue
        value = given.get(name, plausible(parameter))
        if isinstance(parameter, click.Argument):
            arguments.append(value)
        else:
            options.append(f"{parameter.opts[0]}={value}")
    return [*path, *options, "--", *arguments]


def plausible(parameter: click.Parameter) -> str:
    """Give a value that click takes."""
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    if isinstance(parameter.type, click.DateTime):
        return "2025-01-02" if "until" in parameter.opts[0] else "2025-01-01"
    if isinstance(parameter.type, click.Path):
        return "folder" if not parameter.type.file_okay else "good.csv"
    return "1"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_what_is_wrong_is_one_sentence(
    path: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a stack, and with files that are none: one printable line on stderr, exit code 1 or 2, no file lost.

    What can do without a stack goes well, and says so.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text("a,b\n" + "".join(f"{row},{row % 7}\n" for row in range(300)))
    for words in lines(path):
        for name, make in BAD_FILES.items():
            if not (tmp_path / name).exists():
                make(tmp_path / name)
        before = {one: one.read_bytes() for one in tmp_path.iterdir() if one.is_file()}
        code = main(words)
        out, err = capfd.readouterr()
        if code == 0:
            assert out, words
        else:
            assert code in {1, 2}, words
            assert err.count("\n") == 1, (words, err)
            assert err[:-1].isprintable(), (words, err)
        lost = [one.name for one, held in before.items() if held and one.read_bytes() != held]
        assert lost == [], words
