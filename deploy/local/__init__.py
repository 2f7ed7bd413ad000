"""The local stack: a real Kafka, a real ClickHouse and the workers as child processes on loopback."""
