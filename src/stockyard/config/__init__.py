"""Settings of one process, and the address of its server."""

from stockyard.config.address import Address
from stockyard.config.settings import Settings, read_environment

__all__ = ["Address", "Settings", "read_environment"]
