"""Answers requests for pages and for the streams that keep them up to date."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import anyio
import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from stockyard.app import App
from stockyard.dashboard.access import COOKIE, Access, Visit
from stockyard.dashboard.feeds import Change, Feeds
from stockyard.dashboard.feeds import Look as FragmentsLook
from stockyard.dashboard.operations import Operations
from stockyard.dashboard.rendering import Place, draw, draw_fragments
from stockyard.dashboard.samples import Samples
from stockyard.dashboard.sessions import SESSION_SECONDS, Viewer
from stockyard.dashboard.views.all_views import VIEWS
from stockyard.dashboard.views.view import Look, PageRequest, View
from stockyard.errors import (
    InvalidOption,
    JobError,
    JobNotFound,
    QueueStateError,
    ScheduleConflict,
    ScheduleNotFound,
    ServerError,
    StockyardError,
    UnknownQueue,
)
from stockyard.model.masking import mask_secrets

NOTE = "stockyard_note"
"""Cookie of what is said once on the next page."""
_THEMES = ("light", "dark")
_FAREWELL = 1.0
"""Seconds in which a stream ends by itself when the server stops."""
_RETRY_MS = 2_000


class Pages:
    """The pages of one dashboard.

    Args:
        app: whose queues they show.
        access: decides who may see them.
        feeds: look at what is watched.
        operations: of this process.
        samples: what was seen of late.
    """

    def __init__(self, app: App, access: Access, feeds: Feeds, operations: Operations, samples: Samples) -> None:
        self._app = app
        self._access = access
        self._feeds = feeds
        self._operations = operations
        self._samples = samples

    async def admit(self, request: Request) -> Visit | Response:
        """Return whose request it is, or the answer to who may not look."""
        if not self._access.knows_host(request):
            return PlainTextResponse("this dashboard does not answer to that name", 421)
        visit = await self._access.visit(request)
        if visit.viewer is not None:
            return visit
        if not self._access.needs_token:
            return self._page(
                request, visit, "error.html", 403, title="No access", message="you may not look here"
            )
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method != "GET" or "/stream/" in request.url.path:
            return PlainTextResponse("sign in first", 401)
        return RedirectResponse(f"{base_of(request)}/sign-in?back={quote(here, safe='')}", 303)

    async def show(self, request: Request) -> Response:
        """Answer with a page."""
        visit = await self.admit(request)
        if isinstance(visit, Response):
            return visit
        view = VIEWS.get(request.path_params.get("view", "overview"))
        if view is None:
            return self._page(
                request, visit, "error.html", 404, title="No such page", message="this dashboard has no such page"
            )
        try:
            facts = await self._opened(view, request)()
        except StockyardError as error:
            return self.problem(request, visit, error)
        still = facts.get("is_still", False)
        query = f"?{request.url.query}" if request.url.query else ""
        return self._page(
            request,
            visit,
            "page.html",
            title=view.title,
            view=view,
            stream="" if still else f"{base_of(request)}/stream/{view.name}{query}",
            **facts,
        )

    async def stream(self, request: Request) -> Response:
        """Answer with what changes on a page, as it changes."""
        visit = await self.admit(request)
        if isinstance(visit, Response):
            return visit
        view = VIEWS.get(request.path_params["view"])
        if view is None or visit.viewer is None:
            return PlainTextResponse("this dashboard has no such page", 404)
        place = Place(base_of(request), visit.viewer.can_act)
        key = view.name, tuple(sorted(request.query_params.items())), place
        try:
            opened = self._opened(view, request)
        except StockyardError as error:
            return PlainTextResponse(str(error), 404)
        stopping = anyio.Event()
        return EventSourceResponse(
            self._events(key, partial(_look, view, place, opened), view.every, stopping),
            ping=15,
            shutdown_event=stopping,
            shutdown_grace_period=_FAREWELL,
        )

    async def _events(
        self, key: Hashable, look: FragmentsLook, every: float, stopping: anyio.Event
    ) -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(retry=_RETRY_MS, comment="beginning")
        changes = self._feeds.watch(key, look, every)
        stop = asyncio.create_task(stopping.wait())
        step: asyncio.Task[Change] | None = None
        try:
            while not stop.done():
                step = asyncio.create_task(_next(changes))
                await asyncio.wait((step, stop), return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    break
                change = step.result()
                for fragment in change.fragments:
                    yield ServerSentEvent(fragment, event="fragment")
                yield ServerSentEvent(mask_secrets(change.trouble), event="state")
        finally:
            stop.cancel()
            if step is not None and not step.done():
                # Its end is that of the watch; nothing may be awaited here when the client has gone.
                step.cancel()
            else:
                await changes.aclose()

    def _opened(self, view: View, request: Request) -> Look:
        params = dict(request.query_params)
        return view.open(PageRequest(self._app, params, self._samples, self._operations))

    async def ask_to_sign_in(self, request: Request) -> Response:
        """Answer with the form that asks for a token."""
        if not self._access.knows_host(request):
            return PlainTextResponse("this dashboard does not answer to that name", 421)
        visit = await self._access.visit(request)
        back = own_path(request, request.query_params.get("back", ""))
        if visit.viewer is not None:
            return RedirectResponse(back, 303)
        return self.sign_in_form(request, visit, back=back)

    def sign_in_form(
        self, request: Request, visit: Visit, *, back: str, message: str = "", status: int = 200
    ) -> Response:
        """Return the form that asks for a token."""
        return self._page(request, visit, "sign_in.html", status, title="Sign in", back=back, message=message)

    def confirmation(self, request: Request, visit: Visit, **facts: Any) -> Response:
        """Return the page that asks whether an action is meant, for browsers without a script."""
        return self._page(request, visit, "confirm.html", title="Are you sure?", **facts)

    def problem(self, request: Request, visit: Visit, error: StockyardError) -> Response:
        """Return the page that says why something could not be shown or done."""
        title, status = _status_of(error)
        message = mask_secrets(str(error))
        response = self._page(request, visit, "error.html", status, title=title, message=message)
        if status == 503:
            response.headers["Retry-After"] = "2"
        return response

    async def missing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that no route takes."""
        if scope["type"] == "http":
            request = Request(scope, receive)
            visit = await self.admit(request)
            response = (
                visit
                if isinstance(visit, Response)
                else self._page(
                    request, visit, "error.html", 404, title="No such page", message="nothing is at this address"
                )
            )
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": "", "headers": []})

    def _page(self, request: Request, visit: Visit, template: str, status: int = 200, **facts: Any) -> Response:
        viewer = visit.viewer or Viewer("")
        theme = request.cookies.get("stockyard_theme", "")
        note = request.cookies.get(NOTE, "")
        facts.setdefault("view", None)
        facts.setdefault("stream", "")
        text = draw(
            template,
            Place(base_of(request), viewer.can_act),
            views=[each for each in VIEWS.values() if each.has_menu] if visit.viewer is not None else [],
            viewer=viewer,
            needs_token=self._access.needs_token and visit.viewer is not None,
            form_token=self._access.sessions.form_token(visit.session),
            theme=theme if theme in _THEMES else "",
            note=_note_of(note),
            topology=self._app.topology,
            here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            q=facts.pop("q", ""),
            **facts,
        )
        response = HTMLResponse(text, status)
        if visit.is_new:
            self.give_cookie(request, response, self._access.sessions.cookie(visit.session))
        if note:
            response.delete_cookie(NOTE, path=f"{base_of(request)}/")
        return response

    def give_cookie(self, request: Request, response: Response, cookie: str) -> None:
        """Give a browser the cookie of its session."""
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=SESSION_SECONDS,
            path=f"{base_of(request)}/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )


async def _next(changes: AsyncGenerator[Change, None]) -> Change:
    return await anext(changes)


async def _look(view: View, place: Place, look: Look) -> Sequence[str]:
    return draw_fragments(view, place, await look())


def with_note(request: Request, response: Response, kind: str, text: str) -> Response:
    """Let the next page say something once."""
    note = quote(msgspec.json.encode((kind, text[:600])).decode(), safe="")
    response.set_cookie(
        NOTE,
        note,
        max_age=60,
        path=f"{base_of(request)}/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


def _note_of(cookie: str) -> tuple[str, str] | None:
    if not cookie:
        return None
    try:
        kind, text = msgspec.json.decode(unquote(cookie), type=tuple[str, str])
    except (msgspec.DecodeError, ValueError):
        return None
    return ("bad" if kind == "bad" else "good"), text


def base_of(request: Request) -> str:
    """Return the path under which the dashboard is mounted, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def own_path(request: Request, path: str) -> str:
    """Return a path if it is one of this dashboard's pages, else the overview's."""
    base = base_of(request)
    is_own = (
        path.startswith(f"{base}/")
        and not path.startswith(("//", f"{base}/do/"))
        and "\\" not in path
        and path.isprintable()
    )
    return path if is_own else f"{base}/"


def _status_of(error: StockyardError) -> tuple[str, int]:
    match error:
        case UnknownQueue() | JobNotFound() | ScheduleNotFound():
            return "Not found", 404
        case InvalidOption():
            return "This cannot be shown", 400
        case JobError() | QueueStateError() | ScheduleConflict():
            return "Not done", 409
        case ServerError():
            return "The server does not answer", 503
        case _:
            return "Not done", 400
