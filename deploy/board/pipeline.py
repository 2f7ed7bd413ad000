"""Pipeline: whether what is seen is whole: books of emitters, freshness, dead letters, storage."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.panel import Dashboard, Kind, Level, Panel, Threshold
from driftline.deploy.board.variables import EMITTED

_WRITTEN = "written_at >= {from:DateTime64(3, 'UTC')} AND written_at < {to:DateTime64(3, 'UTC')}"

BOOKS: Final = Panel(
    title="The books",
    question="Is every event that was offered stored, or its loss told?",
    sql="""
SELECT sum(enqueued) AS offered, sum(delivered) AS delivered, sum(dropped) AS dropped, sum(lost_in_crash) AS lost,
    sum(spooled + in_flight) AS underway, sum(unarrived) AS unarrived
FROM ledger
WHERE deployment IN {deployment:Array(String)} AND topic = 'predictions'
HAVING count() > 0
""",
    kind=Kind.STAT,
    empty="No emitter has told its books.",
    width=24,
    height=4,
)
EMITTERS: Final = Panel(
    title="Emitters",
    question="Which emitter lost, dropped or is silent?",
    sql="""
SELECT deployment, instance, topic, state, enqueued, delivered, dropped, spooled, in_flight, lost_in_crash, unarrived,
    missing_batches, doubled_batches, heartbeat_at
FROM ledger
WHERE deployment IN {deployment:Array(String)}
ORDER BY (lost_in_crash + dropped + unarrived) DESC, state = 'silent' DESC, heartbeat_at DESC
LIMIT 200
""",
    kind=Kind.TABLE,
    empty="No emitter has told its books.",
    width=24,
)
STORED: Final = Panel(
    title="Rows stored",
    question="How fast is the archive filled, by topic?",
    sql=f"""
SELECT toStartOfMinute(written_at) AS time, topic, sum(rows) AS value
FROM blocks
WHERE {_WRITTEN}
GROUP BY time, topic
ORDER BY time, topic
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="Nothing was stored in this time.",
    unit="short",
)
FRESHNESS: Final = Panel(
    title="From the log to the archive",
    question="How old is the newest record of a block when it is stored?",
    sql=f"""
SELECT toStartOfMinute(written_at) AS time, topic,
    max(dateDiff('millisecond', newest, written_at)) / 1000 AS value
FROM blocks
WHERE {_WRITTEN}
GROUP BY time, topic
ORDER BY time, topic
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="Nothing was stored in this time.",
    unit="s",
    thresholds=(Threshold(Level.OK), Threshold(Level.WARN, 30), Threshold(Level.FAIL, 300)),
)
DUPLICATES: Final = Panel(
    title="Sent again, and refused",
    question="How many batches came twice, how many could not be read?",
    sql=f"""
SELECT toStartOfMinute(written_at) AS time, concat(topic, ': ', tupleElement(told, 1)) AS line,
    sum(tupleElement(told, 2)) AS value
FROM blocks
ARRAY JOIN [('twice', duplicates), ('refused', refused)] AS told
WHERE {_WRITTEN}
GROUP BY time, line
ORDER BY time, line
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="Nothing was stored in this time.",
    unit="short",
)
LETTERS: Final = Panel(
    title="Dead letters",
    question="What could not be read, and why?",
    sql="""
SELECT topic, reason, state, count() AS letters, max(refused_at) AS newest, any(detail) AS example
FROM dead_letters_now
WHERE refused_at >= {from:DateTime64(3, 'UTC')} AND refused_at < {to:DateTime64(3, 'UTC')}
GROUP BY topic, reason, state
ORDER BY letters DESC
LIMIT 100
""",
    kind=Kind.TABLE,
    empty="Everything could be read.",
)
STORAGE: Final = Panel(
    title="Storage",
    question="What takes the disk, and how well does it pack?",
    sql="""
SELECT table, sum(parts.rows) AS rows, sum(bytes_on_disk) AS bytes,
    round(sum(bytes_on_disk) / sum(parts.rows), 1) AS bytes_a_row,
    count() AS parts_on_disk
FROM system.parts AS parts
WHERE active AND database = currentDatabase()
GROUP BY table
ORDER BY bytes DESC
LIMIT 50
""",
    kind=Kind.TABLE,
    empty="Nothing is stored.",
    width=24,
)

PIPELINE: Final = Dashboard(
    name="pipeline",
    title="Pipeline",
    purpose="Whoever runs driftline: is what people see whole and fresh.",
    variables=(EMITTED,),
    panels=(BOOKS, EMITTERS, STORED, FRESHNESS, DUPLICATES, LETTERS, STORAGE),
)
