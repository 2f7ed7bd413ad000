-- Every label that came, corrections and withdrawals too: the history is kept, the view says what holds.
CREATE TABLE IF NOT EXISTS labels
(
    deployment    LowCardinality(String),
    prediction_id FixedString(16) CODEC(ZSTD(1)),
    original_id   Nullable(String) CODEC(ZSTD(1)),
    known_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    number        Nullable(Float64) CODEC(ZSTD(1)),
    class         LowCardinality(Nullable(String)),
    withdrawn     Bool,
    src_partition UInt32 CODEC(Delta, ZSTD(1)),
    src_offset    UInt64 CODEC(Delta, ZSTD(1)),
    src_row       UInt32 CODEC(Delta, ZSTD(1)),
    arrived       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    id            UUID ALIAS UUIDNumToString(prediction_id)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(arrived)
ORDER BY (deployment, prediction_id)
SETTINGS non_replicated_deduplication_window = 20000, index_granularity = 1024, ttl_only_drop_parts = 1;

-- The label in force of each prediction: the greatest (known_at, offset), withdrawn ones included and marked.
-- The tuple keeps a null number or class of the winner: argMax of a bare null column would skip to an older label.
CREATE VIEW IF NOT EXISTS labels_now AS
SELECT
    deployment,
    prediction_id,
    tupleElement(winner, 1) AS known_at,
    tupleElement(winner, 2) AS number,
    tupleElement(winner, 3) AS class,
    tupleElement(winner, 4) AS withdrawn
FROM
(
    SELECT
        deployment,
        prediction_id,
        argMax(tuple(known_at, number, class, withdrawn), tuple(known_at, src_offset, src_row)) AS winner
    FROM labels
    GROUP BY deployment, prediction_id
);
