"""What documents name is there: commands with their options, settings, variables, metrics, reject codes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from driftline.agents.control.policy import POLICY_OPS, Question, default_policy, usual_stage
from driftline.deploy.board.panel import VERDICT_CODES
from driftline.deploy.board.panels import DASHBOARDS
from driftline.deploy.cli import _group
from driftline.deploy.local.board import BOARD
from driftline.schemas.control.command import REJECT_CODES
from driftline.schemas.control.trust import Person
from driftline.schemas.deployment import Subject
from driftline.schemas.settings import Settings

FENCE = re.compile(r"^```(?:sh|text)\n(.*?)^```$|((?:^    \S[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(driftline [^`\n]+)`")
SECTIONS = {field.name: field.type for field in msgspec.structs.fields(Settings)}
SETTING = re.compile(rf"`({'|'.join(SECTIONS)})\.([a-z_]+)`")
VARIABLE = re.compile(r"\bDRIFTLINE_[A-Z]+_[A-Z_]*[A-Z]\b")
METRIC = re.compile(r"(?<![\"\w])driftline_[a-z_]+[a-z]\b(?!\")")
# What is no setting of the program: what Grafana's provisioning reads, and what a retraining command is told.
OTHER_VARIABLES = ("DRIFTLINE_GRAFANA_", "DRIFTLINE_RETRAIN_")
OPTION = re.compile(r"`(--[a-z][a-z-]+)[^`\n]*`")
OTHER_OPTIONS = {"--build-arg"}  # of docker
OTHER_NAMES = {"driftline_key", "driftline_at"}  # parameters of requests
SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


@pytest.fixture(scope="module")
def pages(checkout: Path, tracked: list[Path]) -> dict[str, str]:
    """Return README and every page of docs/, but for those that the code writes and the changelog."""
    found = {
        str(file): (checkout / file).read_text(encoding="utf-8")
        for file in tracked
        if file.suffix == ".md"
        and file.parts[0] in {"README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "docs"}
    }
    return {name: text for name, text in found.items() if not name.startswith("docs/reference/")}


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the command lines of a page, split as a shell does, without the program's name."""
    blocks = [one or other for one, other in FENCE.findall(text)]
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *CODE.findall(text)]:
        if line.startswith("driftline ") and "|" not in line.split("#")[0].replace("| ", ""):
            words = shlex.split(line.removeprefix("driftline "), comments=True)
            ends = [at for at, word in enumerate(words) if word in {"|", ">", ">>"}]
            yield words[: ends[0]] if ends else words


def wrong_with(words: list[str]) -> str | None:
    """Say what a command line names that is not there; None when all of it is."""
    context = click.Context(_group(), info_name="driftline")
    command: click.Command = context.command
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        child = command.get_command(context, rest[0])
        if child is None:
            # A deployment may stand where a command may.
            is_open = command.invoke_without_command or command.name == "labels"
            if (is_open and rest[0] == rest[0].upper()) or (is_open and rest[0].islower()):
                break
            return f"no command {rest[0]!r}"
        command, rest = child, rest[1:]
    leaves = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    known = {
        name for leaf in leaves for option in leaf.params for name in (*option.opts, *option.secondary_opts)
    }
    unknown = [
        word
        for word in rest
        if word.startswith("--") and word.split("=")[0] not in known | {"--help", "--version"}
    ]
    return f"no option {unknown[0]}" if unknown else None


def test_commands_of_pages_are_there(pages: dict[str, str]) -> None:
    """Every command line that a page shows is of a command there is, with options that it takes."""
    lines = [(name, words) for name, text in pages.items() for words in command_lines(text) if words]
    assert len(lines) > 80
    wrong = [(name, " ".join(words), why) for name, words in lines if (why := wrong_with(words)) is not None]
    assert wrong == []


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield every option of a command and of those below it."""
    for option in command.params:
        yield from (*option.opts, *option.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from options(child, context)


def test_options_that_stand_alone_are_there(pages: dict[str, str]) -> None:
    """An option that a page names without its command is one that some command of ours takes."""
    top = _group()
    known = {*options(top, click.Context(top, info_name="driftline")), "--help", "--version", *OTHER_OPTIONS}
    named = [(page, name) for page, text in pages.items() for name in OPTION.findall(text)]
    assert len(named) > 50
    assert [one for one in named if one[1] not in known] == []


def test_settings_of_pages_are_there(pages: dict[str, str]) -> None:
    """Every setting and every variable that a page names is one."""
    fields = {name: {field.name for field in msgspec.structs.fields(kind)} for name, kind in SECTIONS.items()}
    variables = {f"DRIFTLINE_{name}_{key}".upper() for name, keys in fields.items() for key in keys}
    named = [(page, match) for page, text in pages.items() for match in SETTING.findall(text)]
    assert len(named) > 20
    wrong: list[tuple[str, str]] = [
        (page, f"{section}.{key}")
        for page, (section, key) in named
        if key not in fields[section] and key != "md"
    ]
    wrong += [
        (page, name)
        for page, text in pages.items()
        for name in VARIABLE.findall(text)
        if name not in variables and not name.startswith(OTHER_VARIABLES)
    ]
    assert wrong == []


def test_metrics_of_pages_are_there(checkout: Path, pages: dict[str, str]) -> None:
    """Every metric that a page names is in the reference, which the code writes."""
    text = (checkout / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    known = (
        set(METRIC.findall(text)) | {f"driftline_{subject}" for subject in get_args(Subject)} | OTHER_NAMES
    )
    wrong = [
        (page, name)
        for page, text in pages.items()
        for name in METRIC.findall(text)
        if not known
        & {name, *(f"{name}{end}" for end in SUFFIXES), *(name.removesuffix(end) for end in SUFFIXES)}
    ]
    assert wrong == []


def test_own_data_end_on_the_board(checkout: Path, pages: dict[str, str]) -> None:
    """The walk of the README leads from `make up` to the board while the stack runs, by names that the board has."""
    walk = pages["README.md"].split("## Your own data in five minutes\n")[1].split("\n## ", maxsplit=1)[0]
    steps = ["make up", "driftline emit ", "driftline windows churn", f"beside `{BOARD}`", "`driftline down`"]
    assert sorted(steps, key=walk.index) == steps
    assert walk.count("driftline down") == 1
    page = checkout / "deploy" / "board" / "web" / "page"
    scripts = {
        name: (page / name).read_text(encoding="utf-8") for name in ("controls.js", "time.js", "state.js")
    }
    assert "the last 30 days" in walk
    assert 'START = { from: "now-30d"' in scripts["state.js"]
    known = {*VERDICT_CODES, *(board.title for board in DASHBOARDS)}
    known |= {panel.title for board in DASHBOARDS for panel in board.panels}
    known |= {variable.label for board in DASHBOARDS for variable in board.variables}
    known |= set(re.findall(r'"([^"]+)"', scripts["controls.js"] + scripts["time.js"]))
    named = set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", " ".join(walk.split())))
    assert len(named) > 5
    assert named <= known


def test_reject_codes_are_explained(pages: dict[str, str]) -> None:
    """The table of docs/control.md has each code that a command is refused with, and no other."""
    section = pages["docs/control.md"].split("## Refusals\n")[1].split("\n## ", maxsplit=1)[0]
    assert sorted(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == sorted(REJECT_CODES)


def test_who_may_do_what_is_what_the_packaged_policy_says(pages: dict[str, str]) -> None:
    """Each cell of the table of docs/control.md: the roles, and the number of other persons by tier."""
    section = pages["docs/control.md"].split("## Who may do what\n")[1].split("\n\n", maxsplit=1)[1]
    head, _, *lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section.split("\n\n")[0].splitlines()
    ]
    roles, tiers, policy = head[1:-3], head[-3:], default_policy()
    assert tiers == ["low", "medium", "high"]
    for names, *cells in lines:
        for op in names.split(", "):
            for role, said in zip(roles, cells, strict=False):
                person = Person(id="p-1", roles=(role,), keys=("A" * 43 + "=",))
                named = op.replace(" ", "-")
                stage = usual_stage(named)  # type: ignore[arg-type]
                found = [policy.lacking(Question(person, named, "churn", tier, stage)) for tier in tiers]  # type: ignore[arg-type]
                wanted = [int(one) for one in cells[-3:]] if said else [None] * 3
                assert (op, role, found) == (op, role, wanted)
    told = {op.replace(" ", "-") for names, *_ in lines for op in names.split(", ")}
    assert told == set(POLICY_OPS)


def test_comparisons_are_those_that_were_measured(pages: dict[str, str]) -> None:
    """How many times others take is the ratio of docs/benchmarks.md."""
    ratios = {
        name: float(ratio)
        for name, ratio in re.findall(
            r"^\| kernel: all figures, against (\w+) \|[^|]*\|[^|]*\|[^|]*\| ([\d.]+) \|",
            pages["docs/benchmarks.md"],
            re.MULTILINE,
        )
    }
    readme = pages["README.md"]
    for name, tool in (("evidently", "Evidently"), ("nannyml", "NannyML")):
        (row,) = re.findall(rf"^\| {tool} \|.*$", readme, re.MULTILINE)
        assert re.findall(r"(\d+) times less processor time", row) == [f"{ratios[name]:.0f}"]
    assert (
        f"{min(ratios['nannyml'], ratios['evidently'], ratios['whylogs']):.0f} times less than the\n"
        in pages["docs/compared.md"]
    )
