"""Publishes and reads messages: live ones and durable ones."""
