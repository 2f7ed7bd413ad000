"""Advice on retraining as a person asks for it: windows and answers from ClickHouse, settings from Kafka."""
