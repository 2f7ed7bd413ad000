"""The contract: Avro records, columns, topics, ids and settings. Imports no Kafka client, no Faust, no ClickHouse."""
