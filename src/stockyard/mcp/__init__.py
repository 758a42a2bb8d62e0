"""The MCP server lets assistants read health, search and effects; it needs the extra ``mcp``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stockyard.mcp.server import mcp_server
else:
    from stockyard._lazy import lazy_names

    __getattr__, __dir__ = lazy_names(__name__, {"stockyard.mcp.server": "mcp_server"}, extra="mcp")

__all__ = ["mcp_server"]
