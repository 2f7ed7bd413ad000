"""Pages of docs/reference/ about data: tables of ClickHouse, schemas of records, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from driftline.deploy.cli.exits import EXITS
from driftline.schemas import codec
from driftline.schemas.alert import Rule, Severity, State
from driftline.schemas.deployment import Subject
from driftline.streams.alerts.rule import WEIGHT, priority

ROOT: Final = Path(__file__).resolve().parent.parent
MIGRATIONS: Final = ROOT / "streams" / "clickhouse" / "migrations"
MADE_OF: Final = {
    "what a message is refused for": ROOT / "schemas" / "refusal.py",
    "what a row is dropped for": ROOT / "agents" / "emit" / "ledger.py",
}
CREATE: Final = re.compile(
    r"((?:^--[^\n]*\n)*)^CREATE (?:OR REPLACE )?(TABLE|VIEW) (?:IF NOT EXISTS )?(\w+)(.*?);$",
    re.MULTILINE | re.DOTALL,
)
ADDED: Final = re.compile(r"ADD COLUMN IF NOT EXISTS `?([\w.]+)`? (.+?),?$", re.MULTILINE)


def tables() -> Iterator[str]:
    """Write every table and view as the last migration leaves it."""
    yield "# Tables\n"
    yield (
        "The database of ClickHouse, as `driftline migrate` makes it. Read the views that end in `_now`: they show\n"
        "one row a thing, the newest. `Nested` columns are parallel arrays. [Settings](settings.md) of the section\n"
        "`archive` say how long rows stay. `schema_migrations` is the book of migrations that ran.\n"
    )
    for name, (kind, comment, columns, order) in sorted(_found().items()):
        yield f"## {name}\n"
        yield f"{kind.capitalize()}. {_sentence(comment)}\n" if comment else f"{kind.capitalize()}.\n"
        if order:
            yield f"In the order of `{order}`.\n"
        if columns:
            yield "| column | type |"
            yield "|---|---|"
            yield from (f"| `{column}` | `{of}` |" for column, of in columns)
            yield ""


def _found() -> dict[str, tuple[str, str, list[tuple[str, str]], str]]:
    found: dict[str, tuple[str, str, list[tuple[str, str]], str]] = {}
    for file in sorted(MIGRATIONS.glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        for comment, kind, name, rest in CREATE.findall(text):
            said = " ".join(line.lstrip("- ") for line in comment.splitlines())
            order = re.search(r"ORDER BY \((.*?)\)", rest)
            before = found.get(name)
            columns = _columns(rest) if kind == "TABLE" else []
            told = said or (before[1] if before else "")
            if kind == "VIEW" and rest.strip().startswith("AS SELECT * FROM"):
                told = told or f"The newest row of each thing in `{rest.split()[4]}`."
            found[name] = (kind.lower(), told, columns, order[1] if order and kind == "TABLE" else "")
        for table in re.findall(r"^ALTER TABLE (\w+)$", text, re.MULTILINE):
            kind, told, columns, order_by = found[table]
            found[table] = (kind, told, [*columns, *ADDED.findall(text)], _reordered(text, order_by))
    return found


def _reordered(text: str, order: str) -> str:
    said = re.search(r"MODIFY ORDER BY \((.*?)\)", text)
    return said[1] if said else order


def _columns(body: str) -> list[tuple[str, str]]:
    """Give name and type of each column of a CREATE TABLE, those of a Nested one by one."""
    inside = body[body.index("(") + 1 : body.index("\n)")]
    found, prefix = [], ""
    for line in (each.strip().rstrip(",") for each in inside.splitlines()):
        nested = re.match(r"(\w+) Nested$", line)
        if nested:
            prefix = f"{nested[1]}."
        elif line == ")":
            prefix = ""
        elif match := re.match(r"(\w+)\s+([A-Z].*)$", line):
            if match[1] in {"INDEX", "PROJECTION", "CONSTRAINT"}:
                continue
            of = re.split(r" (?:CODEC|ALIAS|DEFAULT|MATERIALIZED)\b", match[2])[0]
            found.append((prefix + match[1], f"Array({of})" if prefix else of))
    return found


def schemas() -> Iterator[str]:
    """Write every record type with its fields and published versions."""
    yield "# Schemas\n"
    yield (
        "What travels in Kafka, as Avro single-object encoding: the bytes `c3 01`, eight of the schema's fingerprint\n"
        "(CRC-64-AVRO of its canonical form, as below), then the record. The files lie in `schemas/events/`; every\n"
        "published version stays readable. Fields are those of the newest version. What is signed (commands, states,\n"
        "acks, the audit) is JSON in envelopes: [change under control](../control.md), [audit](../audit.md).\n"
    )
    every = codec.catalog()
    for name, newest in sorted(every.newest.items()):
        yield f"## {name}\n"
        yield f"{newest.parsed.get('doc', '')}\n"
        yield "| version | file | fingerprint |"
        yield "|--:|---|---|"
        of_type = sorted(
            (one for one in every.by_fingerprint.values() if one.record_type == name), key=_version
        )
        for one in of_type:
            yield f"| {one.version} | `{one.file_name}` | `{one.fingerprint.hex()}` |"
        yield ""
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        for field in newest.parsed["fields"]:
            yield f"| `{field['name']}` | {_cell(_type(field['type']))} | {_cell(field.get('doc', ''))} |"
        yield ""


def _version(schema: codec.EventSchema) -> int:
    return schema.version


def _type(of: Any) -> str:  # noqa: ANN401 - a schema is a text, a list or a dict
    if isinstance(of, list):
        return " or ".join(_type(one) for one in of)
    if isinstance(of, dict):
        if of["type"] == "array":
            return f"array of {_type(of['items'])}"
        if of["type"] == "map":
            return f"map of {_type(of['values'])}"
        return f"`{of.get('name', of.get('logicalType', of['type'])).rpartition('.')[2]}`"
    return f"`{of.rpartition('.')[2]}`"


def alerts() -> Iterator[str]:
    """Write what alerts are about, by which rule, and how urgent each is."""
    yield "# Alerts\n"
    yield (
        "Alerts about models: the subjects that settings and mutes name, under the name that Alertmanager hears.\n"
        "[Alerts](../alerts.md) says when each fires.\n"
    )
    yield "| subject | `alertname` |"
    yield "|---|---|"
    yield from (f"| `{subject}` | `driftline_{subject}` |" for subject in get_args(Subject))
    yield ""
    for what, kind in (("rule", Rule), ("state", State), ("severity", Severity)):
        yield f"The label `{what}` is one of {', '.join(f'`{one}`' for one in get_args(kind))}.\n"
    yield "Priority, by importance of the deployment and severity; 1 is the most urgent:\n"
    yield "| importance | `warn` | `fail` |"
    yield "|---|--:|--:|"
    for importance in sorted(WEIGHT, key=WEIGHT.__getitem__, reverse=True):
        yield f"| `{importance}` | {priority(importance, 'warn')} | {priority(importance, 'fail')} |"
    yield ""


def errors() -> Iterator[str]:
    """Write exit codes, and the closed sets of reasons."""
    yield "# Errors\n"
    yield (
        "A failure that was foreseen is one sentence on stderr that begins with `driftline: ` and names the thing,\n"
        "the value and what to do. Nothing else is written there but progress, on a terminal, and warnings.\n"
    )
    yield "## Exit codes\n"
    yield "| code | when |"
    yield "|--:|---|"
    yield from (f"| {code} | {when} |" for code, when in EXITS.items())
    yield ""
    yield "## What a message is refused for\n"
    yield (
        "Whole, with one of these reasons and a sentence, it goes to the topic `dead-letter` and the table\n"
        "`dead_letters`; `driftline dead-letter list` shows it, and\n"
        "`driftline_archive_dead_letters_total` counts them.\n"
    )
    yield from _reasons(MADE_OF["what a message is refused for"], "the message")
    yield "## What a row is dropped for\n"
    yield "By an [emitter](../emitter.md), which counts it in its books; `driftline emitters` shows them.\n"
    yield from _reasons(MADE_OF["what a row is dropped for"], "the row")
    yield "## What a command is refused for\n"
    yield "A signed command, with a code and a sentence in the audit: [refusals](../control.md#refusals).\n"


def _reasons(file: Path, what: str) -> Iterator[str]:
    listed = file.read_text(encoding="utf-8").split("REASONS: Final = (\n")[1].split("\n)")[0]
    yield f"| reason | {what} |"
    yield "|---|---|"
    for name, meaning in re.findall(r'"(\w+)",  # (.*)', listed):
        yield f"| `{name}` | {_cell(meaning)} |"
    yield ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
