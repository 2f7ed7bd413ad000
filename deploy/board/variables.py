"""The variables that dashboards share."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from driftline.deploy.board.panel import Variable

_SEEN: Final = """
SELECT DISTINCT deployment AS value
FROM windows
WHERE window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')}
"""
DEPLOYMENT: Final = Variable(
    name="deployment",
    label="Deployment",
    sql=f"""{_SEEN}ORDER BY value
LIMIT 1000
""",
)
CHANGED: Final = replace(
    DEPLOYMENT,
    sql=f"""
SELECT DISTINCT value
FROM
({_SEEN}UNION ALL
SELECT DISTINCT deployment AS value
FROM audit
WHERE deployment != '' AND decided_at >= {{from:DateTime64(3, 'UTC')}} AND decided_at < {{to:DateTime64(3, 'UTC')}}
UNION ALL
SELECT DISTINCT deployment AS value
FROM acks
WHERE deployment != '' AND at >= {{from:DateTime64(3, 'UTC')}} AND at < {{to:DateTime64(3, 'UTC')}}
)
ORDER BY value
LIMIT 1000
""",
)
"""A change needs no window: of what was asked before the first prediction, or while nothing is asked of a model."""
EMITTED: Final = replace(
    DEPLOYMENT,
    sql=f"""
SELECT DISTINCT value
FROM
({_SEEN}UNION ALL
SELECT DISTINCT deployment AS value
FROM emitters
)
ORDER BY value
LIMIT 1000
""",
)
"""Books are those of all emitters: rows of another time, or none that was counted, are told of too."""
ONE_DEPLOYMENT: Final = replace(DEPLOYMENT, starts_with_all=False)
"""For dashboards of one model, whose lines would be those of several mixed."""
VERSION: Final = Variable(
    name="version",
    label="Version",
    sql="""
SELECT model_version AS value
FROM windows
WHERE deployment IN {deployment:Array(String)}
    AND window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')}
GROUP BY value
ORDER BY max(window_start) DESC, value
LIMIT 200
""",
)
RESOLUTION: Final = Variable(
    name="resolution",
    label="Windows of",
    sql="""
SELECT resolution AS value
FROM windows
WHERE window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')}
GROUP BY value
ORDER BY value = '1d' DESC, min(window_end - window_start), value
LIMIT 50
""",
    many=False,
)
FEATURE: Final = Variable(
    name="feature",
    label="Feature",
    sql="""
SELECT DISTINCT feature AS value
FROM
(
    SELECT arrayJoin(figures.feature) AS feature
    FROM windows
    WHERE deployment IN {deployment:Array(String)} AND resolution = {resolution:String}
        AND window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')}
        AND role = ''
)
WHERE feature != ''
ORDER BY value
LIMIT 1000
""",
    many=False,
)
SEGMENT: Final = Variable(
    name="segment",
    label="Segment",
    sql="""
SELECT DISTINCT value
FROM
(
    SELECT arrayJoin(arrayFilter((feature, kind) -> kind = 'fairness', figures.feature, figures.kind)) AS value
    FROM windows
    WHERE deployment IN {deployment:Array(String)} AND resolution = {resolution:String}
        AND window_start < {to:DateTime64(3, 'UTC')} AND window_end > {from:DateTime64(3, 'UTC')}
        AND role = 'accuracy'
)
ORDER BY value
LIMIT 100
""",
)
