"""The dashboard as an ASGI application: to mount in FastAPI or Starlette, or to run alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from stockyard.app import App
from stockyard.dashboard.access import HEADERS, Access, Authenticate
from stockyard.dashboard.actor import Actor
from stockyard.dashboard.feeds import Feeds
from stockyard.dashboard.operations import Operation, Operations
from stockyard.dashboard.pages import Pages
from stockyard.dashboard.rendering import ASSETS
from stockyard.dashboard.samples import Samples
from stockyard.model import checks


class Dashboard:
    """Pages of an App's queues and jobs, as an ASGI application.

    Args:
        app: whose queues are shown; the host opens and closes it.
        token: signs in people who may act; 16 characters or more.
        read_token: signs in people who only look.
        authenticate: the host's own sign-in instead: given the request, it returns a ``Viewer``, or None for
            nobody; it may be an ``async def``.
        unprotected: True lets everyone look and act, where something in front of it decides. Defaults to False.
        read_only: True lets nobody act. Defaults to False.
        hosts: the names under which it answers, without ports, as in ``["ops.example.org"]``. Defaults to all.

    Exactly one of tokens, ``authenticate`` and ``unprotected`` is needed.

    Raises:
        InvalidOption: an argument is missing, too many are given, or a token is too short.

    Example:
        api.mount("/stockyard", Dashboard(app, token=os.environ["DASHBOARD_TOKEN"]))
    """

    def __init__(
        self,
        app: App,
        *,
        token: str | None = None,
        read_token: str | None = None,
        authenticate: Authenticate | None = None,
        unprotected: bool = False,
        read_only: bool = False,
        hosts: Sequence[str] | None = None,
    ) -> None:
        self._app: App = checks.instance("app", app, App)
        access = Access(
            token=token,
            read_token=read_token,
            authenticate=authenticate,
            unprotected=unprotected,
            read_only=read_only,
            hosts=hosts,
        )
        self._feeds = Feeds()
        self._operations = Operations(self._note_end)
        pages = Pages(self._app, access, self._feeds, self._operations, Samples())
        actor = Actor(self._app, access, pages, self._operations)
        self._router = Router(
            [
                Route("/static/{name}", _static),
                Route("/sign-in", pages.ask_to_sign_in, methods=["GET"]),
                Route("/sign-in", actor.sign_in, methods=["POST"]),
                Route("/sign-out", actor.sign_out, methods=["POST"]),
                Route("/stream/{view}", pages.stream),
                Route("/do/{action}", actor.act, methods=["POST"]),
                Route("/", pages.show, methods=["GET"]),
                Route("/{view}", pages.show, methods=["GET"]),
            ],
            default=pages.missing,
        )

    @property
    def watched(self) -> int:
        """How many pages are watched now; each is looked at once, however many browsers show it."""
        return self._feeds.watched

    async def aclose(self) -> None:
        """Break off the actions on many jobs that still run; what they have changed stays so."""
        await self._operations.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if scope["type"] == "http" and scope["path"] == scope.get("root_path", "") and scope["path"]:
            # Mounted at /stockyard, this is /stockyard without the slash behind which its pages are.
            scope = {**scope, "path": scope["path"] + "/"}
        await self._router(scope, receive, send_guarded)

    async def _note_end(self, operation: Operation) -> Any:
        return await self._app.monitor.audit.record(
            operation.who, "finished", queue=operation.queue, subject=operation.title, note=operation.summary
        )


async def _static(request: Request) -> Response:
    asset = ASSETS.get(request.path_params["name"])
    if asset is None:
        return Response("there is no such file", 404)
    # The address changes with the file.
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset.content, media_type=asset.kind, headers=headers)
