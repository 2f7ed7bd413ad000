"""Completion: what `driftline completion` prints, as real shells take it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.deploy.cli.examples import EXAMPLES

# Each asks its shell what may follow a line, as the key Tab does, and prints one word a line.
BASH = """
eval "$(driftline completion bash)"
COMP_WORDS=({line}) COMP_CWORD={last}
_driftline_completion driftline
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
FISH = """
driftline completion fish | source
complete --do-complete '{line}'
"""
# zsh completes in its line editor alone: the function is asked with the editor's own functions in its place.
ZSH = """
compdef() {{ }}
compadd() {{ print -l -- ${{(P)@[-1]}} }}
_describe() {{ local -a found; found=(${{(P)3}}); print -l -- ${{found%%:*}} }}
eval "$(driftline completion zsh)"
words=({line}) CURRENT={next}
_driftline_completion
"""


def completed(shell: str, script: str, line: str) -> set[str]:
    """Return the words that a shell offers for a line that ends in the begin of a word."""
    last = len(line.split()) - 1
    told = script.format(line=line, last=last, next=last + 1)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", told], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return {offered.partition("\t")[0] for offered in done.stdout.splitlines()}


def check(shell: str, script: str) -> None:
    """Names of commands and values of options are completed."""
    assert completed(shell, script, "driftline comp") == {"compare", "compare-versions", "completion"}
    assert completed(shell, script, "driftline compare --scores held") == {"held-out"}


def test_bash_completes() -> None:
    """What the command prints completes commands, options and values in bash."""
    check("bash", BASH)
    assert completed("bash", BASH, "driftline profile b") == {"build"}
    assert completed("bash", BASH, "driftline windows --reso") == {"--resolution"}


@pytest.mark.needs("zsh")
def test_zsh_completes() -> None:
    """What the command prints completes commands and values in zsh."""
    check("zsh", ZSH)


@pytest.mark.needs("fish")
def test_fish_completes() -> None:
    """What the command prints completes commands and values in fish."""
    check("fish", FISH)


def test_the_way_to_install_it_is_said() -> None:
    """The examples name the files of bash and fish."""
    assert any("~/.bashrc" in line for line in EXAMPLES["completion"])
    assert any("completions/driftline.fish" in line for line in EXAMPLES["completion"])
