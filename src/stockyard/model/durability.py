"""What has to be safe before an add is answered."""

from __future__ import annotations

from typing import Literal

Durability = Literal["aof", "replica"]
"""``aof``: it is in the append-only file of the server, and on its disk. ``replica``: one replica has it."""
