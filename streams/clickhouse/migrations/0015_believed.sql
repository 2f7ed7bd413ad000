-- What an earlier release wrote down as to be forgotten was looked at by nobody: what is believed is written down again.
TRUNCATE TABLE IF EXISTS forgotten;

-- How far the audit that begins with a genesis was followed and believed: how many records, and the digest of the last.
CREATE TABLE IF NOT EXISTS audit_followed
(
    genesis     String,
    size        UInt64,
    head        String,
    followed_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(size)
ORDER BY genesis
SETTINGS non_replicated_deduplication_window = 20000;
