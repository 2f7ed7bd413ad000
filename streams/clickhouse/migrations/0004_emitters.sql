-- The newest heartbeat of each emitter life, one row a topic it writes: its side of the books (promise P4).
CREATE TABLE IF NOT EXISTS emitters
(
    deployment      LowCardinality(String),
    instance        String,
    epoch           Int64,
    topic           LowCardinality(String),
    model_version   LowCardinality(String),
    slot            LowCardinality(String),
    host            LowCardinality(String),
    pid             Int32,
    heartbeat_at    DateTime64(3, 'UTC'),
    started_at      DateTime64(3, 'UTC'),
    heartbeat_ms    Int64,
    closed          Bool,
    next_seq        Int64,
    announced_rows  Int64,
    enqueued        Int64,
    delivered       Int64,
    spooled         Int64,
    in_flight       Int64,
    dropped         Map(String, Int64),
    buffer_bytes    Int64,
    buffer_cap_rows Int64,
    spool_bytes     Int64,
    oldest_spooled  Nullable(DateTime64(3, 'UTC')),
    arrived         DateTime64(3, 'UTC'),
    version         UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (deployment, instance, epoch, topic)
SETTINGS non_replicated_deduplication_window = 20000;

-- Spools of ended lives and who sends them now, as that one last said.
CREATE TABLE IF NOT EXISTS adopted_spools
(
    deployment       LowCardinality(String),
    instance         String,
    epoch            Int64,
    topic            LowCardinality(String),
    adopter_instance String,
    adopter_epoch    Int64,
    heartbeat_at     DateTime64(3, 'UTC'),
    spooled          Int64,
    delivered        Int64,
    dropped          Map(String, Int64),
    arrived          DateTime64(3, 'UTC'),
    version          UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (deployment, instance, epoch, topic, adopter_instance, adopter_epoch)
SETTINGS non_replicated_deduplication_window = 20000;

CREATE VIEW IF NOT EXISTS emitters_now AS SELECT * FROM emitters FINAL;

CREATE VIEW IF NOT EXISTS adopted_spools_now AS SELECT * FROM adopted_spools FINAL;
