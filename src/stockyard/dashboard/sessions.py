"""Who looks at the dashboard: signed cookies, tokens against forged forms. Pure: time and chance are arguments."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import deque
from typing import NamedTuple

import msgspec

SESSION_SECONDS = 12 * 3600
SHORTEST_TOKEN = 16
"""Characters of a token, so that it cannot be guessed."""
_MOST_FAILURES = 10
_FAILURE_SECONDS = 60.0


class Viewer(NamedTuple):
    """A person who looks at the dashboard.

    Attributes:
        name: for the audit.
        can_act: whether they may change anything. Defaults to False, which only looks.
    """

    name: str
    can_act: bool = False


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What the cookie of one browser holds.

    Attributes:
        nonce: random text of this browser's own.
        until: when it ends, in seconds since the epoch.
        viewer: who signed in; None where the host says who looks.
    """

    nonce: str
    until: int
    viewer: tuple[str, bool] | None = None


_decoder = msgspec.json.Decoder(Session)


class Sessions:
    """Signs and reads the cookies; they hold no token, and end with it.

    Args:
        key: that signs; all processes of one dashboard need the same.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def cookie(self, session: Session) -> str:
        """Return a session as the text of its cookie."""
        text = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode()
        return f"{text}.{self._signature('session', text)}"

    def read(self, cookie: str | None, *, now: float) -> Session | None:
        """Return the session of a cookie; None where it is forged, broken or over."""
        text, _, signature = (cookie or "").partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature("session", text).encode()):
            return None
        try:
            session = _decoder.decode(base64.urlsafe_b64decode(text))
        except (binascii.Error, ValueError, RecursionError):
            return None
        return session if now < session.until else None

    def form_token(self, session: Session) -> str:
        """Return what the forms of a session's pages carry, so that no other page can send one."""
        return self._signature("form", session.nonce)

    def is_form_token(self, text: str, session: Session) -> bool:
        """Say whether a form came from a page of this session."""
        return hmac.compare_digest(text.encode(), self.form_token(session).encode())

    def _signature(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def key_of(*tokens: str | None) -> bytes:
    """Return the key of the cookies, of the tokens that sign in: other tokens end all sessions."""
    text = "\0".join(token or "" for token in tokens)
    return hmac.new(text.encode(), b"stockyard dashboard", hashlib.sha256).digest()


def is_token(given: str, token: str | None) -> bool:
    """Say whether a text is the token; takes as long for every wrong one."""
    return token is not None and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


class FailedSignIns:
    """Counts wrong tokens; after ten in a minute no more are looked at, from wherever they come."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST_FAILURES)

    def note(self, now: float) -> None:
        """Count a wrong token."""
        self._times.append(now)

    def are_too_many(self, now: float) -> bool:
        """Say whether to refuse whatever comes now."""
        return len(self._times) == _MOST_FAILURES and now - self._times[0] < _FAILURE_SECONDS
