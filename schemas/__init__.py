"""The contract: Avro records, columns, topics, ids and settings; no Kafka client, no Faust, no ClickHouse."""
