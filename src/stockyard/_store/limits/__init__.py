"""Limits of exchanges on the server."""
