"""What people see: one list of panels, from which Grafana's dashboards are built."""
