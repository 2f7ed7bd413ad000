"""Two tables compared without Kafka: read, judged as a window would be, shown as a table or a page."""
