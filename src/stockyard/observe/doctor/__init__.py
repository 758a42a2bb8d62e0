"""Checks of a server before and while it holds queues."""
