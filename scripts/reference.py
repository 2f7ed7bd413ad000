"""Write docs/reference/ from the code: commands, settings, topics, metrics, rules; the rest by reference_data.py.

Usage: scripts/reference.py [--check]; with --check nothing is written, and a page that differs is named.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import reference_data
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from driftline.agents.control.controller.metrics import ControllerMetrics
from driftline.agents.serving import metrics as serving_metrics
from driftline.agents.serving.tally import Spread, Tally
from driftline.deploy.cli.commands import COMMANDS
from driftline.deploy.cli.examples import EXAMPLES
from driftline.deploy.cli.group import load
from driftline.deploy.rules.groups import groups
from driftline.deploy.rules.rule import span
from driftline.schemas.access import ROLES, grants, user_of
from driftline.schemas.settings import Settings
from driftline.schemas.topics import TOPICS
from driftline.streams import metrics, worker_metrics
from driftline.streams.clickhouse import users

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MEANINGS = Path(__file__).resolve().parent / "settings_meanings.toml"
MADE = "<!-- Written by scripts/reference.py; change the code, then run it. -->\n\n"
DAY_MS = 86_400_000


def main(arguments: Sequence[str]) -> int:
    """Write every page, or with --check name those that differ from the code."""
    stale = [name for name, text in pages().items() if not _is(FOLDER / name, text)]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} differs from the code: run .venv/bin/python scripts/reference.py")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    makers: dict[str, Callable[[], Iterator[str]]] = {
        "commands.md": _commands,
        "settings.md": _settings,
        "topics.md": _topics,
        "access.md": _access,
        "metrics.md": _metrics,
        "tables.md": reference_data.tables,
        "schemas.md": reference_data.schemas,
        "alerts.md": reference_data.alerts,
        "rules.md": _rules,
        "errors.md": reference_data.errors,
    }
    return {name: MADE + "\n".join(maker()).rstrip() + "\n" for name, maker in makers.items()}


def _is(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield (
        "Every command takes `--help`, and `--json` where it prints data. [Errors](errors.md) has the exit codes.\n"
        "`driftline completion` makes a shell complete all of this.\n"
    )
    for entry in COMMANDS:
        needs = f"Needs the extra `{entry.extra}`." if entry.extra else "Needs no extra."
        yield from _command(f"driftline {entry.name}", load(entry), needs)


def _command(path: str, command: click.Command, note: str = "") -> Iterator[str]:
    yield f"{'##' if note else '###'} {path}\n"
    yield _prose(command.help or "") + "\n"
    if note:
        yield note + "\n"
    shown = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{path} {usage}\n```\n"
    examples = EXAMPLES.get(path.removeprefix("driftline "), ())
    if examples:
        yield "```sh\n" + "\n".join(f"driftline {line}" for line in examples) + "\n```\n"
    if shown:
        yield "| option | meaning |"
        yield "|---|---|"
        for option in shown:
            name, meaning = option.get_help_record(context) or ("", "")
            yield f"| `{_cell(name)}` | {_cell(meaning)} |"
        yield ""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _command(f"{path} {name}", child)


def _settings() -> Iterator[str]:
    yield "# Settings\n"
    yield (
        "A setting is a variable `DRIFTLINE_<SECTION>_<FIELD>`, or a key of that section in\n"
        "`driftline.toml` in the working directory (or in the file that `DRIFTLINE_CONFIG` names). The\n"
        "variable wins. A wrong value is one sentence that names the variable or key, the value and what is\n"
        "allowed.\n\n"
        "Instead of each variable, `DRIFTLINE_<SECTION>_<FIELD>_FILE` may name a file that holds its value: so\n"
        "secrets come as files and stand in no environment.\n"
    )
    meanings = tomllib.loads(MEANINGS.read_text(encoding="utf-8"))
    for section in msgspec.structs.fields(Settings):
        yield f"## {section.name}\n"
        yield _prose(section.type.__doc__ or "") + "\n"
        yield "| key | variable | what it is | default | allowed |"
        yield "|---|---|---|---|---|"
        described = {field.name: field.type for field in _struct(section.type).fields}
        for field in msgspec.structs.fields(section.type):
            variable = f"DRIFTLINE_{section.name}_{field.name}".upper()
            allowed = _cell(_description(described[field.name]))
            meaning = meanings[section.name][field.name]
            yield f"| `{field.name}` | `{variable}` | {meaning} | {_default(field.default)} | {allowed} |"
        yield ""


def _struct(kind: type) -> Any:  # noqa: ANN401 - msgspec's description of a type has no public name
    return msgspec.inspect.type_info(kind)


def _description(kind: Any) -> str:  # noqa: ANN401 - as above
    schema = getattr(kind, "extra_json_schema", None) or {}
    return str(schema.get("description", ""))


def _default(value: object) -> str:
    shown = msgspec.json.encode(value, enc_hook=lambda _secret: "").decode()
    return "" if shown == '""' else f"`{shown.strip(chr(34))}`"


def _topics() -> Iterator[str]:
    yield "# Topics\n"
    yield (
        "All are created by `driftline up`, or by hand with these properties. `events` is the setting\n"
        "`kafka.partitions`; every producer partitions by murmur2 of the key. The setting\n"
        "`kafka.topic_prefix` is put before each name.\n"
    )
    yield "| topic | key | partitions | kept | time stamps | largest message |"
    yield "|---|---|---|---|---|---|"
    for topic in TOPICS:
        kept = "for ever" if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS} days"
        kept = "compacted" if topic.compacted else kept
        stamps = "broker (LogAppendTime)" if topic.log_append_time else "producer"
        size = f"{topic.max_message_bytes:,} bytes"
        yield f"| `{topic.name}` | {topic.key} | {topic.partitions} | {kept} | {stamps} | {size} |"


def _access() -> Iterator[str]:
    yield "# Access\n"
    yield (
        "What each role may do on a secured stack (`driftline up --secure`) or on any cluster where\n"
        "`driftline access` was used; nobody may do anything else. Names stand without the topics' prefix.\n"
    )
    yield "## Kafka\n"
    yield "| user | who | may | on |"
    yield "|---|---|---|---|"
    for role in ROLES:
        held: dict[tuple[str, str], list[str]] = {}
        for one in grants(role, ""):
            name = f"`{one.name}{'*' if one.is_prefix else ''}`"
            held.setdefault((one.action, one.kind), []).append(name)
        for number, ((action, kind), names) in enumerate(held.items()):
            who = (f"`{user_of(role.name, '')}`", role.about) if number == 0 else ("", "")
            yield f"| {who[0]} | {who[1]} | {action} | {kind} {', '.join(names)} |"
    yield ""
    yield "## ClickHouse\n"
    yield "| user | who | limits of a query | may |"
    yield "|---|---|---|---|"
    for of in users.ROLES:
        limits = ", ".join(f"`{name}` {value:,}" for name, value, _ in users.settings_of(of.limits))
        may = ", ".join(f"{verb} on {_named_tables(tables)}" for verb, tables in of.grants.items())
        beside = "".join(
            f", SELECT on {'columns ' + ', '.join(f'`{one}`' for one in some) + ' of ' if some else ''}`system.{table}`"
            for table, some in of.system.items()
        )
        yield f"| `{users.user_of(of.name, 'driftline')}` | {of.about} | {limits} | {may}{beside} |"
    yield ""


def _named_tables(tables: Sequence[str]) -> str:
    return "every table and view" if tables == ("*",) else ", ".join(f"`{table}`" for table in tables)


def _metrics() -> Iterator[str]:
    yield "# Metrics\n"
    yield (
        "Each worker, and the controller, serves its own to Prometheus, on the port of the setting\n"
        "`worker.metrics_port`; the serving agent at `/metrics`, and on the ports from `serve.metrics_port` on. Each\n"
        "also serves the `process_*` metrics that are common to clients of Prometheus.\n"
    )
    known = {
        **vars(metrics),
        **vars(worker_metrics),
        **vars(serving_metrics),
        "ControllerMetrics": ControllerMetrics,
    }
    holders = [kind for name, kind in sorted(known.items()) if name.endswith("Metrics")]
    for holder in holders:
        yield f"## {holder.__name__}\n"
        yield _prose(holder.__doc__ or "") + "\n"
        yield "| metric | type | labels | meaning |"
        yield "|---|---|---|---|"
        made = vars(holder(CollectorRegistry())).values()
        for metric in (each for each in made if isinstance(each, MetricWrapperBase | Tally | Spread)):
            family = next(iter(metric.describe()))
            name = f"{family.name}_total" if family.type == "counter" else family.name
            # Names of labels have no public face in prometheus_client.
            held = metric.labels if isinstance(metric, Tally | Spread) else metric._labelnames  # noqa: SLF001
            labels = ", ".join(f"`{label}`" for label in held)
            yield f"| `{name}` | {family.type} | {labels} | {_cell(family.documentation)} |"
        yield ""


def _rules() -> Iterator[str]:
    yield "# Rules of Prometheus\n"
    yield (
        "What Prometheus watches, built by `driftline rules build` ([monitoring](../monitoring.md)). Each name leads\n"
        "to its runbook. The alerts of deployments, on drift and the like, are [another matter](../alerts.md).\n"
    )
    for group in groups():
        yield f"## {group.name}\n"
        yield f"{group.purpose}\n"
        if group.alerts:
            yield "| alert | severity | held for | fires while |"
            yield "|---|---|---|---|"
        for one in group.alerts:
            held = span(one.hold_s) if one.hold_s else ""
            link = f"[{one.name}](../runbooks/{one.name}.md)"
            yield f"| {link} | {one.severity.value} | {held} | `{_cell(one.expr)}` |"
        yield ""


def _prose(text: str) -> str:
    return "\n".join(line.strip() for line in text.replace("\b", "").strip().splitlines())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
