"""The effects of a job: what it does outside, at most once."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from stockyard.errors import InvalidOption
from stockyard.model import checks
from stockyard.model.duration import Duration
from stockyard.model.effect_port import EffectPort, EffectRequest
from stockyard.model.fidelity import is_plain
from stockyard.model.halt import halt_keys
from stockyard.model.options import JobOptions
from stockyard.model.payload import UNENCODABLE, encode_payload

if TYPE_CHECKING:
    from stockyard.model.effect import Effect

LONGEST_KEY = 200
_LEAST_MS = 50
_decode = msgspec.json.Decoder().decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Effectful:
    """The effects of a job."""

    __slots__ = ()
    id: str
    data: Any
    options: JobOptions
    attempts_started: int
    port: EffectPort

    @property
    def expires_at(self) -> int | None:
        """When it expires, ms since the epoch, or None."""
        return None

    @property
    @abstractmethod
    def attempt(self) -> int:
        """Number of the attempt that runs."""

    def effect(
        self,
        key: str,
        *,
        max_duration: Duration,
        payload: Any = ...,
        min_duration: Duration | None = None,
        scope: Mapping[str, str] | None = None,
    ) -> Effect:
        """In the job's handler: do a dangerous step at most once, and record honestly what became of it.

            async with job.effect(key=order.client_order_id, max_duration="800ms") as effect:
                ack = await exchange.place(order, client_order_id=effect.key, timeout=effect.remaining)
                effect.record(ack)

        An earlier run, of this job or another, may have begun an effect with this key: what was recorded ends the
        run, and the job completes with it, without the block. What may have been applied is done again only where
        the queue's ``venue`` ignores a second request; else the job waits for the queue's ``on_unknown``, or fails
        with ``OutcomeUnknown``.

        Args:
            key: names the effect in its queue, as the client order id does: the same in each attempt.
            max_duration: how long the step may take. The effect's deadline is earlier where the lease or
                the job ends.
            payload: what it is about: a key that was used with another payload is an error. Defaults to the job's.
            min_duration: refuse to begin with less than this left. Defaults to 50 ms, at most ``max_duration``.
            scope: what it concerns, as in ``{"account": "A1"}``: while one of the values is halted, it is not
                begun. Defaults to the job's ``key`` and ``scope``, to which it adds.

        Raises:
            InvalidOption: the key is no text of at most 200 characters, or a duration is none.
            PayloadError: the payload is not JSON-able.

        Entering the block raises ``EffectRecorded``, ``OutcomeUnknown``, ``EffectMismatch``, ``EffectRefused``,
        ``EffectHalted``, ``JobExpired``, ``Delay``, or a ``ServerError``; leaving it, ``OutcomeUnknown``,
        ``TimeoutError`` or a ``ServerError``.
        """
        most = _most_ms(max_duration)
        least = min(_LEAST_MS, most) if min_duration is None else checks.positive_ms("min_duration", min_duration)
        if least > most:
            raise InvalidOption(f"min_duration must not be longer than max_duration; got {min_duration!r}")
        # The usual key needs no closer look: an effect is on a hot path.
        if type(key) is not str or not 0 < len(key) <= LONGEST_KEY or not key.isascii():
            key = checks.text("key", key, longest=LONGEST_KEY)
        named = halt_keys(self.options)
        request = EffectRequest(
            key,
            self.attempts_started,
            self.attempt,
            _digest_of_value(self.data if payload is ... else payload, key),
            os.urandom(8).hex(),
            most,
            least,
            self.expires_at or 0,
            named if scope is None else (*named, *_values_of(scope)),
        )
        return _effect_class()(self.port, self.id, request)


@cache
def _effect_class() -> type[Effect]:
    # Imported late: a program that only adds jobs does not need it.
    from stockyard.model.effect import Effect

    return Effect


def _most_ms(duration: Duration) -> int:
    try:
        return _known_ms(duration)
    except TypeError:
        return checks.positive_ms("max_duration", duration)


@lru_cache(maxsize=256, typed=True)
def _known_ms(duration: Duration) -> int:
    """Return the milliseconds; a handler writes the same for each job."""
    return checks.positive_ms("max_duration", duration)


def _values_of(scope: Mapping[str, str]) -> tuple[str, ...]:
    given = checks.by_name("scope", scope, of="values")
    return tuple(checks.text(f"the scope {name!r}", value) for name, value in given.items())


def _digest_of_value(value: Any, key: str) -> str:
    """Return the digest of a payload; raises PayloadError."""
    try:
        # The sorted text of plain values is what that of their JSON would be.
        text = _encode_sorted(value) if is_plain(value) else b"null"
    except UNENCODABLE:
        text = b"null"
    # A number that JSON does not have becomes null.
    if b"null" not in text:
        return _digest(text)
    return digest_of(encode_payload(value, what="the payload of effect", of=key))


def digest_of(text: bytes) -> str:
    """Return what distinguishes two payloads; the order of an object's members does not."""
    return _digest(_encode_sorted(_decode(text)))


def _digest(text: bytes) -> str:
    digest: str = _sha256()(text).hexdigest()
    return digest[:32]


@cache
def _sha256() -> Callable[[bytes], Any]:
    # Imported late: it loads OpenSSL, which a program that only declares queues does not need.
    import hashlib

    return hashlib.sha256
