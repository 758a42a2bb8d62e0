"""Settings of one process, and the address of its server."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.config.address import Address
    from stockyard.config.settings import Settings, read_environment
else:
    from stockyard._lazy import lazy_names

    # The process that renews leases needs an address, and no settings.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "stockyard.config.address": "Address",
            "stockyard.config.settings": "Settings read_environment",
        },
    )

__all__ = ["Address", "Settings", "read_environment"]
