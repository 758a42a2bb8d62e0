"""Sends notifications of incidents: to the log, webhooks, and services of Apprise, e-mail among them."""

from __future__ import annotations

import http.client
import logging
import ssl
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from stockyard.errors import ConfigError, NotificationFailed
from stockyard.model.printable import printable, readable_time
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.alerts.send_thread import DEADLINE, AbortableConnection, send_within

_log = logging.getLogger(__name__)


class Notifier(Protocol):
    """Sends notifications; raises NotificationFailed when it could not. Its name is unique, and no secret."""

    @property
    def name(self) -> str: ...

    async def notify(self, incident: Incident) -> None: ...


def headline(incident: Incident) -> str:
    """Return one line: what, where, how much, since when, and until when if it is over."""
    begin, end = (readable_time(moment) for moment in (incident.since, incident.at))
    message = printable(incident.message)
    if incident.status is Status.RESOLVED:
        return f"[RESOLVED] {message} (from {begin} to {end})"
    return f"[FIRING] {message} (since {begin})"


def payload(incident: Incident) -> dict[str, Any]:
    """Return what a webhook is sent: ``text`` for chat programs, the rest for others."""
    return {
        "text": headline(incident),
        "status": str(incident.status),
        "rule": incident.rule,
        "queue": incident.subject,
        "value": incident.value,
        "threshold": incident.threshold,
        "action": incident.action,
        "message": printable(incident.message),
        "since": incident.since,
        "at": incident.at,
    }


class LogNotifier:
    """Writes to the log ``stockyard.observe``: a firing one as an error, a resolved one as information."""

    name = "log"

    async def notify(self, incident: Incident) -> None:
        """Write one line."""
        level = logging.INFO if incident.status is Status.RESOLVED else logging.ERROR
        _log.log(level, "%s", headline(incident), extra={"queue": incident.subject, "rule": incident.rule})


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts JSON (see ``payload``) to a URL.

    Attributes:
        url: http or https.
        headers: sent along, such as an Authorization.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("a webhook needs an http:// or https:// URL")

    @property
    def name(self) -> str:
        """Its host, and a digest of the rest."""
        return f"webhook {urlsplit(self.url).hostname} {zlib.crc32(self.url.encode()):08x}"

    async def notify(self, incident: Incident) -> None:
        """Post, within 10 seconds in all; anything but a 2xx answer is a failure, a redirect too.

        Raises:
            NotificationFailed: it was not taken.
        """
        body = msgspec.json.encode(payload(incident))
        await send_within(self.name, lambda connection: self._post(body, connection))

    def _post(self, body: bytes, connection: AbortableConnection) -> None:
        host = urlsplit(self.url).hostname
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self.url, body, {"Content-Type": "application/json", "User-Agent": "stockyard", **self.headers}
        )
        opener = urllib.request.build_opener(_Plain(connection), _Tls(connection), _NoRedirect)
        try:
            with opener.open(request, timeout=DEADLINE):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            # The URL is a secret as often as not: its host must do.
            raise NotificationFailed(f"webhook at {host} answered {_answer(error)}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise NotificationFailed(
                f"webhook at {host} cannot be reached: {error or type(error).__name__}"
            ) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: a POST that is sent on as a GET arrives empty, and credentials belong to one host."""

    def http_error_302(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _AbortableHttp(http.client.HTTPConnection):
    held: AbortableConnection

    def connect(self) -> None:
        super().connect()
        self.held.hold(self.sock)


class _AbortableHttps(http.client.HTTPSConnection, _AbortableHttp):
    """Connects by ``_AbortableHttp`` before it speaks TLS, so that a handshake without end can be cut, too."""


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, connection: AbortableConnection) -> None:
        super().__init__()
        self._connection = connection

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(
            lambda *given, **named: _holding(_AbortableHttp(*given, **named), self._connection), req
        )


class _Tls(urllib.request.HTTPSHandler):
    def __init__(self, connection: AbortableConnection) -> None:
        super().__init__()
        self._connection = connection

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        context = ssl.create_default_context()
        return self.do_open(
            lambda *given, **named: _holding(_AbortableHttps(*given, context=context, **named), self._connection),
            req,
        )


def _holding(made: _AbortableHttp, connection: AbortableConnection) -> _AbortableHttp:
    made.held = connection
    return made


def _answer(error: urllib.error.HTTPError) -> str:
    answer = f"{error.code} {error.reason}"
    if not 300 <= error.code < 400:
        return answer
    try:
        target = urlsplit(error.headers.get("Location") or "").hostname
    except ValueError:
        target = None
    where = f" to {target}" if target else ""
    return f"{answer}, a redirect{where}: redirects are not followed; set the URL that it leads to"


@dataclass(frozen=True, slots=True)
class Apprise:
    """Speaks to any service that Apprise knows (extra ``alerts``).

    Attributes:
        urls: Apprise's own, such as ``tgram://token/chat`` or ``mailtos://user:password@host?to=desk@example.org``.
    """

    urls: tuple[str, ...] = field(repr=False)

    name = "apprise"

    async def notify(self, incident: Incident) -> None:
        """Notify all of them, within 10 seconds in all.

        Raises:
            NotificationFailed: Apprise is not installed, knows a URL not, or one of them did not take it.
        """
        try:
            import apprise
        except ImportError:
            raise NotificationFailed("apprise is not installed: pip install 'stockyard[alerts]'") from None
        sender = apprise.Apprise()
        for url in self.urls:
            if not sender.add(url):
                raise NotificationFailed("apprise does not know one of the URLs given to it")
        title = printable(f"{incident.subject}: {incident.rule}")

        def send(_connection: AbortableConnection) -> None:
            if not sender.notify(title=title, body=headline(incident)):
                raise NotificationFailed("apprise could not notify one of the services given to it")

        await send_within(self.name, send)
