"""Decides who may see and do what: hosts, sign-in, roles, and forms that come from our own pages."""

from __future__ import annotations

import inspect
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from stockyard.dashboard.sessions import (
    SESSION_SECONDS,
    SHORTEST_TOKEN,
    FailedSignIns,
    Session,
    Sessions,
    Viewer,
    is_token,
    key_of,
)
from stockyard.errors import InvalidOption
from stockyard.model import checks

COOKIE = "stockyard_session"
Authenticate = Callable[[HTTPConnection], Viewer | Awaitable[Viewer | None] | None]
_LONGEST_NAME = 60

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer: nothing inline, nothing from elsewhere, in nobody's frame."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, once it is known whose it is.

    Attributes:
        viewer: who looks, or None where they have to sign in.
        session: of the browser.
        is_new: whether the browser is yet to get the session's cookie.
    """

    viewer: Viewer | None
    session: Session
    is_new: bool


class Access:
    """The rules of one dashboard.

    Args:
        token: signs in people who may act.
        read_token: signs in people who only look.
        authenticate: says who looks, in place of tokens.
        unprotected: whether everyone may look and act.
        read_only: whether nobody may act.
        hosts: the names under which it answers. Defaults to all.

    Raises:
        InvalidOption: none or several of these ways are named, or a token is too short.
    """

    def __init__(
        self,
        *,
        token: str | None,
        read_token: str | None,
        authenticate: Authenticate | None,
        unprotected: bool,
        read_only: bool,
        hosts: Sequence[str] | None,
    ) -> None:
        has_tokens = token is not None or read_token is not None
        if has_tokens + (authenticate is not None) + checks.flag("unprotected", unprotected) != 1:
            raise InvalidOption(
                "a dashboard can stop queues and remove jobs: say who may see it by token= (and read_token=), "
                "or by authenticate=, or unprotected=True where something in front of it does"
            )
        for option, given in (("token", token), ("read_token", read_token)):
            if given is not None and len(checks.line(option, given)) < SHORTEST_TOKEN:
                raise InvalidOption(f"{option} must have {SHORTEST_TOKEN} characters or more; got {len(given)}")
        if token is not None and token == read_token:
            raise InvalidOption("token and read_token must differ: one of them may only look")
        self.needs_token: bool = has_tokens
        self._token = token
        self._read_token = read_token
        self._authenticate = None if authenticate is None else checks.function("authenticate", authenticate)
        self._read_only = checks.flag("read_only", read_only)
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._failures = FailedSignIns()
        self.sessions = Sessions(key_of(token, read_token) if has_tokens else secrets.token_bytes(32))

    def knows_host(self, request: HTTPConnection) -> bool:
        """Say whether the request names this host: another name may be a foreign page's way to an open port."""
        return self._hosts is None or host_of(request.headers.get("host", "")) in self._hosts

    async def visit(self, request: HTTPConnection) -> Visit:
        """Return whose request it is."""
        now = time.time()
        session = self.sessions.read(request.cookies.get(COOKIE), now=now)
        is_new = session is None
        if session is None:
            session = Session(secrets.token_urlsafe(16), int(now) + SESSION_SECONDS)
        viewer = await self._viewer(request, session)
        if viewer is not None and self._read_only:
            viewer = viewer._replace(can_act=False)
        return Visit(viewer, session, is_new)

    async def _viewer(self, request: HTTPConnection, session: Session) -> Viewer | None:
        if self.needs_token:
            return None if session.viewer is None else Viewer(*session.viewer)
        if self._authenticate is None:
            return Viewer("", can_act=True)
        found = self._authenticate(request)
        return await found if inspect.isawaitable(found) else found

    def is_own_form(self, request: HTTPConnection, token: str, session: Session) -> bool:
        """Say whether a form was sent by a page of this dashboard in this browser."""
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        return self.sessions.is_form_token(token, session)

    def sign_in(self, token: str, name: str) -> Session | None:
        """Return the session of who knows a token, or None.

        Args:
            token: what was typed.
            name: who they say they are, for the audit.

        Raises:
            PermissionError: too many were wrong of late.
        """
        now = time.time()
        if self._failures.are_too_many(now):
            raise PermissionError("too many wrong tokens: try again in a minute")
        can_act = is_token(token, self._token)
        if not can_act and not is_token(token, self._read_token):
            self._failures.note(now)
            return None
        viewer = (" ".join(name.split())[:_LONGEST_NAME] or "token", can_act)
        return Session(secrets.token_urlsafe(16), int(now) + SESSION_SECONDS, viewer)


def host_of(header: str) -> str:
    """Return the name of a Host header, without its port."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
