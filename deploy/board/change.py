"""Change: who changed what serves, who approved, and how long it took."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.panel import Dashboard, Kind, Level, Panel, Threshold
from driftline.deploy.board.variables import CHANGED

_DECIDED = """(deployment IN {deployment:Array(String)} OR deployment = '')
    AND decided_at >= {from:DateTime64(3, 'UTC')} AND decided_at < {to:DateTime64(3, 'UTC')}"""
_ACKED = """deployment IN {deployment:Array(String)}
    AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}"""

HISTORY: Final = Panel(
    title="Changes",
    question="Who changed what, who approved, and what served then?",
    sql=f"""
SELECT seq, decided_at, event, op, deployment, model, model_version AS version, actor,
    arrayStringConcat(approvers, ', ') AS approved_by, tier, revision_after AS revision, champion,
    if(reject = '', '', concat(reject, ': ', arrayStringConcat(reasons, ' '))) AS refused
FROM audit
WHERE {_DECIDED} AND event != 'acked'
ORDER BY seq DESC
LIMIT 300
""",
    kind=Kind.TABLE,
    empty="Nothing was asked or changed in this time.",
    width=24,
    height=12,
)
COUNTS: Final = Panel(
    title="Commands",
    question="How many changes took effect, and how many were refused?",
    sql=f"""
SELECT countIf(event = 'effective') AS effective, countIf(reject != '') AS refused,
    uniqExactIf(actor, event = 'effective') AS people
FROM audit
WHERE {_DECIDED}
HAVING count() > 0
""",
    kind=Kind.STAT,
    empty="Nothing was asked in this time.",
    height=4,
)
GAPS: Final = Panel(
    title="Gaps in the copy of the audit",
    question="Is this copy one whole chain? (driftline audit verify says whether the audit itself is.)",
    sql="SELECT (SELECT count() FROM audit_gaps) AS gaps WHERE (SELECT count() FROM audit) > 0",
    kind=Kind.STAT,
    empty="There is no audit yet.",
    thresholds=(Threshold(Level.OK), Threshold(Level.FAIL, 1)),
    height=4,
)
REFUSED: Final = Panel(
    title="Refusals",
    question="What was refused, by which rule, and who keeps asking?",
    sql=f"""
SELECT toStartOfInterval(decided_at, INTERVAL 1 HOUR) AS time, reject AS code, count() AS value
FROM audit
WHERE {_DECIDED} AND reject != ''
GROUP BY time, code
ORDER BY time, code
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="Nothing was refused in this time.",
    unit="short",
)
ACK_SECONDS: Final = Panel(
    title="Time to take effect",
    question="How long do agents take to prepare and to swap (longest of each minute)?",
    sql=f"""
SELECT toStartOfMinute(at) AS time, outcome, max(seconds) AS value
FROM acks
WHERE {_ACKED} AND kind = 'ack' AND seconds IS NOT NULL
GROUP BY time, outcome
ORDER BY time, outcome
LIMIT 20000
""",
    kind=Kind.SERIES,
    empty="No agent acknowledged a change in this time.",
    unit="s",
)
AGENTS: Final = Panel(
    title="Serving agents",
    question="Which agents are there, and what did each say last?",
    sql="""
SELECT instance, installation, argMax(kind, at) AS last_kind, argMaxIf(outcome, at, outcome != '') AS last_outcome,
    argMaxIf(reason, at, outcome != '') AS why, argMax(is_draining, at) AS draining, max(at) AS heard
FROM acks
WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
GROUP BY instance, installation
ORDER BY heard DESC
LIMIT 200
""",
    kind=Kind.TABLE,
    empty="No agent was heard in this time.",
)
FAILED_ACKS: Final = Panel(
    title="Changes that an agent could not make",
    question="Which agent refused or failed, and why?",
    sql=f"""
SELECT at, instance, deployment, revision, outcome, reason, seconds
FROM acks
WHERE {_ACKED} AND reason != ''
ORDER BY at DESC
LIMIT 200
""",
    kind=Kind.TABLE,
    empty="No agent refused or failed in this time.",
)

CHANGE: Final = Dashboard(
    name="change",
    title="Change",
    purpose="Ops, approvers, auditors: who changed what serves, who approved, what was refused.",
    variables=(CHANGED,),
    panels=(COUNTS, GAPS, HISTORY, REFUSED, ACK_SECONDS, AGENTS, FAILED_ACKS),
)
