"""Connections to the server: how they are opened, what goes over them, and what refusals mean."""
