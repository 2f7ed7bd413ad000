"""What Prometheus records and alerts on, and whom Alertmanager tells: one list, from which their files are built."""
