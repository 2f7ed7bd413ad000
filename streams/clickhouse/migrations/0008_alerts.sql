-- Every edge of every alert, and who said that they know of one. An edge that is sent again after a crash has the id and
-- the content it had, so one row of each id is enough.
CREATE TABLE IF NOT EXISTS alerts
(
    deployment        LowCardinality(String),
    alert_id          String,
    ordinal           Int64,
    id                String,
    rule              LowCardinality(String),
    about             LowCardinality(String),
    name              String,
    segment           String,
    slot              LowCardinality(String),
    state             LowCardinality(String),
    severity          LowCardinality(String),
    importance        LowCardinality(String),
    priority          UInt8,
    reason            String CODEC(ZSTD(1)),
    model_version     LowCardinality(String),
    resolution        LowCardinality(String),
    window_start      Nullable(DateTime64(3, 'UTC')),
    window_end        Nullable(DateTime64(3, 'UTC')),
    window_version    Int64,
    rows              Int64,
    since             DateTime64(3, 'UTC'),
    made_at           DateTime64(3, 'UTC'),
    settings_revision Int64,
    owner             LowCardinality(Nullable(String)),
    team              LowCardinality(Nullable(String)),
    runbook           Nullable(String),
    routes            Array(LowCardinality(String)),
    figures Nested
    (
        feature        String,
        metric         LowCardinality(String),
        value          Nullable(Float64),
        low            Nullable(Float64),
        high           Nullable(Float64),
        threshold_null Nullable(Float64),
        floor          Nullable(Float64),
        block          Nullable(Float64),
        verdict        LowCardinality(Nullable(String)),
        reason         String,
        rows           Int64
    ),
    by                LowCardinality(String),
    comment           String,
    src_offset        Int64,
    arrived           DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (deployment, alert_id, ordinal, id)
SETTINGS non_replicated_deduplication_window = 20000;

-- The last edge of each alert, with the last acknowledgement of that very edge, if there is one.
CREATE VIEW IF NOT EXISTS alerts_now AS
SELECT
    edge.* EXCEPT (by, comment),
    ack.by AS acknowledged_by,
    ack.comment AS comment,
    ack.made_at AS acknowledged_at
FROM
(
    SELECT * FROM alerts FINAL WHERE state != 'acknowledged'
    ORDER BY deployment, alert_id, ordinal DESC
    LIMIT 1 BY deployment, alert_id
) AS edge
LEFT JOIN
(
    SELECT deployment, alert_id, ordinal, by, comment, toNullable(made_at) AS made_at FROM alerts FINAL
    WHERE state = 'acknowledged'
    ORDER BY deployment, alert_id, ordinal, made_at DESC
    LIMIT 1 BY deployment, alert_id, ordinal
) AS ack
    ON edge.deployment = ack.deployment AND edge.alert_id = ack.alert_id AND edge.ordinal = ack.ordinal;
