"""Finds the primary of a Sentinel set, as the guidelines for Sentinel clients ask: one by one, then its role."""

from __future__ import annotations

from stockyard._store.net.locator import Connect, Locator
from stockyard.config import Address
from stockyard.errors import ServerError, ServerUnavailable

_SECONDS = 0.4
"""What one Sentinel is given to answer; a silent one must not hold up the others."""


class Sentinels(Locator):
    """The Sentinels of one set; who answered last is asked first.

    Args:
        address: theirs.
    """

    names_primaries = True

    def __init__(self, address: Address) -> None:
        self._address = address
        self._order = address.sentinels()

    async def locate(self, connect: Connect) -> Address:
        """Return where the Sentinels say that the primary is."""
        failures: list[str] = []
        for sentinel in list(self._order):
            connection = connect(sentinel)
            try:
                await connection.open(_SECONDS)
                (found,) = await connection.ask(
                    [("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._address.service)], _SECONDS
                )
            except ServerError as error:
                failures.append(f"{sentinel}: {error}")
                continue
            finally:
                await connection.close()
            if isinstance(found, list):
                # In one step: other connections look at it meanwhile.
                self._order = [sentinel, *(each for each in self._order if each != sentinel)]
                host, port = (each.decode() for each in found)
                return self._address.at(host, int(port))
            if isinstance(found, ServerError):
                failures.append(f"{sentinel}: {found}")
            else:
                failures.append(f"{sentinel} knows no primary of the name {self._address.service!r}")
        raise ServerUnavailable(
            f"no Sentinel of {self._address} says where the primary is; asked were:\n  " + "\n  ".join(failures)
        )
