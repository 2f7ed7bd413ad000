-- Which version made each prediction, kept for years after its inputs are gone. Months of arrival, so that one block makes
-- one part however far its event times reach.
CREATE TABLE IF NOT EXISTS lineage
(
    deployment    LowCardinality(String),
    prediction_id FixedString(16),
    ts            DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    model_version LowCardinality(String),
    slot          LowCardinality(String),
    arrived       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    id            UUID ALIAS UUIDNumToString(prediction_id),
    served_at     DateTime64(3, 'UTC') ALIAS if(arrived - ts > 604800, arrived, ts)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(arrived)
ORDER BY (deployment, prediction_id)
SETTINGS non_replicated_deduplication_window = 20000, index_granularity = 2048, ttl_only_drop_parts = 1;

-- The audit as it lies in Kafka, to be searched: a view of it and never a witness. `record` is the bytes of a record,
-- `digest` their sha256; the columns are read out of them. tier and champion are those of the state after the record.
CREATE TABLE IF NOT EXISTS audit
(
    seq             UInt64,
    prev_hash       String,
    digest          String,
    event           LowCardinality(String),
    decided_at      DateTime64(3, 'UTC'),
    op              LowCardinality(String),
    command         String,
    actor           LowCardinality(String),
    approvers       Array(LowCardinality(String)),
    deployment      LowCardinality(String),
    model           LowCardinality(String),
    model_version   LowCardinality(String),
    manifest        String,
    profile         String,
    revision_before Nullable(UInt64),
    revision_after  Nullable(UInt64),
    state_after     String,
    tier            LowCardinality(String),
    champion        LowCardinality(String),
    reject          LowCardinality(String),
    reasons         Array(String),
    agent           LowCardinality(String),
    record          String CODEC(ZSTD(3)),
    src_offset      UInt64,
    arrived         DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(arrived)
ORDER BY seq
SETTINGS non_replicated_deduplication_window = 20000, ttl_only_drop_parts = 1;

-- Where the archive's copy of the audit is not one whole chain: a seq that is missing or stands twice, or a record that
-- does not name the one before it. Empty when nothing is amiss.
CREATE VIEW IF NOT EXISTS audit_gaps AS
SELECT
    seq AS after_seq,
    assumeNotNull(following) AS next_seq,
    multiIf(following = seq, 'twice', following > seq + 1, 'missing', 'unchained') AS fault
FROM
(
    SELECT
        seq,
        digest,
        leadInFrame(toNullable(seq)) OVER in_order AS following,
        leadInFrame(toNullable(prev_hash)) OVER in_order AS named
    FROM audit
    WINDOW in_order AS (ORDER BY seq ASC, src_offset ASC ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)
)
WHERE following IS NOT NULL AND (following != seq + 1 OR named != digest);

-- What serving agents said of revisions, and that they lived.
CREATE TABLE IF NOT EXISTS acks
(
    kind         LowCardinality(String),
    installation LowCardinality(String),
    instance     LowCardinality(String),
    boot_id      String,
    deployment   LowCardinality(String),
    revision     Nullable(UInt64),
    outcome      LowCardinality(String),
    reason       String,
    at           DateTime64(3, 'UTC'),
    seconds      Nullable(Float64),
    revisions    Map(LowCardinality(String), UInt64),
    free_bytes   Nullable(Int64),
    is_draining  Bool,
    keyids       Array(LowCardinality(String)),
    src_offset   UInt64,
    arrived      DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(arrived)
ORDER BY (instance, at)
SETTINGS non_replicated_deduplication_window = 20000, ttl_only_drop_parts = 1;

-- What is to be forgotten, by audited commands; what comes again of it is removed again.
CREATE TABLE IF NOT EXISTS forgotten
(
    deployment    LowCardinality(String),
    prediction_id FixedString(16),
    target        String,
    seq           UInt64,
    decided_at    DateTime64(3, 'UTC'),
    arrived       DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (deployment, prediction_id, seq)
SETTINGS non_replicated_deduplication_window = 20000;

-- Each prediction with the revision that was in force and the digest of its package. Event times further back than a
-- spool may lie (7 days) are of replays, which go by their arrival.
CREATE VIEW IF NOT EXISTS lineage_now AS
SELECT
    made.deployment AS deployment,
    made.prediction_id AS prediction_id,
    made.ts AS ts,
    made.model_version AS model_version,
    made.slot AS slot,
    if(state.seq_known, state.revision, NULL) AS revision,
    nullIf(package.manifest, '') AS digest,
    made.arrived AS arrived
FROM
(
    SELECT deployment, prediction_id, ts, model_version, slot, arrived, served_at FROM lineage
) AS made
ASOF LEFT JOIN
(
    SELECT deployment, decided_at, assumeNotNull(revision_after) AS revision, true AS seq_known
    FROM audit WHERE revision_after IS NOT NULL
) AS state ON made.deployment = state.deployment AND made.served_at >= state.decided_at
LEFT JOIN
(
    SELECT deployment, model_version, argMax(manifest, seq) AS manifest
    FROM audit WHERE event = 'effective' AND op = 'register' GROUP BY deployment, model_version
) AS package ON made.deployment = package.deployment AND made.model_version = package.model_version;
