"""Finds the primary of a Sentinel set, as the guidelines for Sentinel clients ask: one by one, then its role."""

from __future__ import annotations

import contextlib
import time

from stockyard._store.net.locator import Asked, Connect, Locator
from stockyard.config import Address
from stockyard.errors import ServerError, ServerUnavailable

_SECONDS = 0.4
"""What one Sentinel is given to answer; a silent one must not hold up the others."""

_FRESH_SECONDS = 1.0
"""How long what a Sentinel said is good enough."""

_SILENT_SECONDS = 10.0
"""How long none is asked again, by who need not know, when none answered: that takes a moment each time."""


class Sentinels(Locator):
    """The Sentinels of one set; who answered last is asked first.

    Args:
        address: theirs.
    """

    names_primaries = True

    def __init__(self, address: Address) -> None:
        self._address = address
        self._order = address.sentinels()
        self._primary: Address | None = None
        self._ask_again = 0.0

    def is_current(self, place: Address) -> bool:
        return self._primary is None or place == self._primary

    async def locate(self, connect: Connect) -> Address:
        """Return where the Sentinels say that the primary is."""
        connection, place = await self.first_answer(connect)
        await connection.close()
        return place

    async def refresh(self, connect: Connect) -> None:
        now = time.monotonic()
        if now < self._ask_again:
            return
        # Others who come meanwhile do not ask as well.
        self._ask_again = now + _SILENT_SECONDS
        with contextlib.suppress(ServerError):
            await self.locate(connect)

    async def first_answer(self, connect: Connect) -> tuple[Asked, Address]:
        """Return the open connection to the first Sentinel that says where the primary is, and what it says.

        Raises:
            ServerUnavailable: none says so.
        """
        failures: list[str] = []
        for sentinel in list(self._order):
            connection = connect(sentinel)
            try:
                await connection.open(_SECONDS)
                place = await self.ask(connection)
            except ServerError as error:
                await connection.close()
                failures.append(f"{sentinel}: {error}")
                continue
            except BaseException:
                await connection.close()
                raise
            # In one step: other connections look at it meanwhile.
            self._order = [sentinel, *(each for each in self._order if each != sentinel)]
            return connection, place
        raise ServerUnavailable(
            f"no Sentinel of {self._address} says where the primary is; asked were:\n  " + "\n  ".join(failures)
        )

    async def ask(self, connection: Asked) -> Address:
        """Return where one Sentinel says that the primary is.

        Raises:
            ServerError: it does not say so.
        """
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.service)
        (found,) = await connection.ask([command], _SECONDS)
        if isinstance(found, ServerError):
            raise found
        if not isinstance(found, list):
            raise ServerUnavailable(f"it knows no primary of the name {self._address.service!r}")
        host, port = (each.decode() for each in found)
        self._primary = self._address.at(host, int(port))
        self._ask_again = time.monotonic() + _FRESH_SECONDS
        return self._primary
