"""Answers forms: signs in and out, and does what a person has confirmed, once it is in the audit."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from stockyard.app import App
from stockyard.dashboard import actions
from stockyard.dashboard.access import COOKIE, Access
from stockyard.dashboard.actions import ACTIONS
from stockyard.dashboard.operations import Operation, Operations
from stockyard.dashboard.pages import Pages, base_of, own_path, with_note
from stockyard.dashboard.rendering import Place
from stockyard.errors import StockyardError
from stockyard.model.masking import mask_secrets

_LARGEST = 8 * 1024 * 1024
"""Bytes of a form: a payload may have five MiB, and its letters take three bytes each where they are escaped."""
_OWN = ("form_token", "back", "sure", "selected")
_SUBJECTS = ("id", "schedule", "effect", "limits", "rule", "key", "queues", "operation")


class Actor:
    """The forms of one dashboard.

    Args:
        app: whose queues they change.
        access: decides who may.
        pages: answer with what is to be seen.
        operations: run what takes long.
    """

    def __init__(self, app: App, access: Access, pages: Pages, operations: Operations) -> None:
        self._app = app
        self._access = access
        self._pages = pages
        self._operations = operations

    async def act(self, request: Request) -> Response:
        """Do one action, or ask whether it is meant."""
        visit = await self._pages.admit(request)
        if isinstance(visit, Response):
            return visit
        form = await _form_of(request)
        if form is None:
            return PlainTextResponse("the form is too large", 413)
        single = dict(form)
        if not self._access.is_own_form(request, single.get("form_token", ""), visit.session):
            return PlainTextResponse("this form is not from a page of this dashboard, or too old: reload it", 403)
        if visit.viewer is None or not visit.viewer.can_act:
            return PlainTextResponse("you may only look", 403)
        name = request.path_params["action"]
        action = ACTIONS.get(name)
        if action is None:
            return PlainTextResponse("there is no such action", 404)
        fields = {key: value for key, value in single.items() if key not in _OWN}
        fields.update(request.query_params)
        selected = tuple(value for key, value in form if key == "selected") if action.is_bulk else ()
        back = own_path(request, single.get("back", ""))
        if single.get("sure") != "1":
            question = action.asked(fields)
            return self._pages.confirmation(
                request,
                visit,
                name=name,
                action=action,
                question=question,
                fields=fields,
                selected=selected,
                back=back,
            )
        try:
            await self._record(visit.viewer.name, name, fields, selected)
            done = await action.run(
                actions.Request(self._app, self._operations, visit.viewer.name, fields, selected)
            )
        except StockyardError as error:
            message = mask_secrets(str(error))
            return with_note(request, RedirectResponse(back, 303), "bad", f"Not done: {message}")
        if isinstance(done, Operation):
            return RedirectResponse(f"{base_of(request)}/operation?id={done.id}", 303)
        if name == "remove" and "/job?" in back:
            back = Place(base_of(request), can_act=True).url("queue", name=fields["queue"])
        return with_note(request, RedirectResponse(back, 303), "good", f"Done: {done}.")

    async def _record(self, who: str, name: str, fields: dict[str, str], selected: tuple[str, ...]) -> None:
        """Write what is about to be done: what cannot be written is not done."""
        subject = next((fields[each] for each in _SUBJECTS if fields.get(each)), "")
        others = [
            f"{key}={value}" for key, value in fields.items() if key not in ("queue", "data") and value != subject
        ]
        if selected:
            others.append(f"{len(selected)} jobs: {', '.join(selected[:20])}")
        await self._app.monitor.audit.record(
            who, name, queue=fields.get("queue", ""), subject=subject, note="; ".join(others)
        )

    async def sign_in(self, request: Request) -> Response:
        """Give a browser the session of who knows a token."""
        if not self._access.knows_host(request):
            return PlainTextResponse("this dashboard does not answer to that name", 421)
        visit = await self._access.visit(request)
        single = dict(await _form_of(request) or [])
        back = own_path(request, single.get("back", ""))
        if not self._access.is_own_form(request, single.get("form_token", ""), visit.session):
            return self._pages.sign_in_form(
                request, visit, back=back, message="This page was too old: please try again.", status=403
            )
        try:
            session = self._access.sign_in(single.get("token", ""), single.get("name", ""))
        except PermissionError as error:
            return self._pages.sign_in_form(request, visit, back=back, message=str(error), status=429)
        if session is None:
            message = "This is no token of this dashboard."
            return self._pages.sign_in_form(request, visit, back=back, message=message, status=403)
        response = RedirectResponse(back, 303)
        self._pages.give_cookie(request, response, self._access.sessions.cookie(session))
        return response

    async def sign_out(self, request: Request) -> Response:
        """Take the session's cookie back."""
        visit = await self._access.visit(request)
        single = dict(await _form_of(request) or [])
        if not self._access.is_own_form(request, single.get("form_token", ""), visit.session):
            return PlainTextResponse("this form is not from a page of this dashboard, or too old: reload it", 403)
        response = RedirectResponse(f"{base_of(request)}/sign-in", 303)
        response.delete_cookie(COOKIE, path=f"{base_of(request)}/")
        return response


async def _form_of(request: Request) -> list[tuple[str, str]] | None:
    """Return the fields of a form; None where it is too large."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            return None
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=2_000)
