"""Metrics of queues and workers, for Prometheus and Grafana."""
