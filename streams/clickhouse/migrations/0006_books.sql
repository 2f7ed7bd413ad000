-- The sealed batches stored, once each: the memory of duplicates, and the archive's side of the books (promise P4).
-- Not partitioned, so that the rows of one block appear together or not at all.
CREATE TABLE IF NOT EXISTS batches
(
    topic      LowCardinality(String),
    deployment LowCardinality(String),
    instance   String CODEC(ZSTD(1)),
    epoch      Int64 CODEC(Delta, ZSTD(1)),
    seq        Int64 CODEC(Delta, ZSTD(1)),
    rows       UInt32,
    topic_id   LowCardinality(String),
    partition  UInt32,
    offset     Int64 CODEC(Delta, ZSTD(1)),
    arrived    DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (topic, deployment, instance, epoch, seq)
SETTINGS non_replicated_deduplication_window = 20000, index_granularity = 1024;

-- The archive's own log: a row is written last, when every other row of its block is on disk.
-- So max(last) of a partition is the position that the record in ClickHouse has reached, whatever Kafka remembers.
CREATE TABLE IF NOT EXISTS blocks
(
    topic      LowCardinality(String),
    topic_id   LowCardinality(String),
    partition  UInt32,
    first      Int64 CODEC(Delta, ZSTD(1)),
    last       Int64 CODEC(Delta, ZSTD(1)),
    records    UInt32,
    rows       UInt64,
    duplicates UInt32,
    refused    UInt32,
    newest     DateTime64(3, 'UTC'),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (topic, topic_id, partition, last)
SETTINGS non_replicated_deduplication_window = 20000, index_granularity = 1024;

-- What each emitter life says it delivered beside what lies here, by topic. missing_batches counts the holes below the
-- last heartbeat's next sequence number.
CREATE VIEW IF NOT EXISTS ledger AS
SELECT
    said.deployment AS deployment,
    said.instance AS instance,
    said.epoch AS epoch,
    said.topic AS topic,
    said.enqueued AS enqueued,
    said.delivered AS delivered,
    arraySum(mapValues(said.dropped)) AS dropped,
    said.spooled AS spooled,
    said.in_flight AS in_flight,
    said.closed AS closed,
    said.heartbeat_at AS heartbeat_at,
    stored.rows AS stored_rows,
    stored.batches AS stored_batches,
    said.next_seq - stored.below AS missing_batches
FROM (SELECT * FROM emitters FINAL) AS said
LEFT JOIN
(
    SELECT
        b.topic AS topic,
        b.deployment AS deployment,
        b.instance AS instance,
        b.epoch AS epoch,
        sum(b.rows) AS rows,
        count() AS batches,
        countIf(b.seq < e.next_seq) AS below
    FROM batches AS b
    INNER JOIN (SELECT deployment, instance, epoch, topic, next_seq FROM emitters FINAL) AS e
        ON b.deployment = e.deployment AND b.instance = e.instance AND b.epoch = e.epoch AND b.topic = e.topic
    GROUP BY topic, deployment, instance, epoch
) AS stored
    ON said.deployment = stored.deployment AND said.instance = stored.instance
    AND said.epoch = stored.epoch AND said.topic = stored.topic;
