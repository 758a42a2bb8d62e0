"""Who may look and act, and what keeps other pages from doing it for them."""

import subprocess
import sys

import pytest
from starlette.requests import HTTPConnection

from stockyard.dashboard import Viewer
from stockyard.dashboard.views.all_views import VIEWS
from tests.integration.dashboard.conftest import READ_TOKEN, TOKEN, Open
from tests.support.yard import Yard


async def test_who_has_no_session_is_asked_to_sign_in(yard: Yard, visit: Open) -> None:
    yard.queue("q")
    person = visit(token=TOKEN, read_token=READ_TOKEN)
    reply = await person.client.get("/queue?name=q&state=failed")
    assert (reply.status_code, reply.headers["location"]) == (
        303,
        "/sign-in?back=%2Fqueue%3Fname%3Dq%26state%3Dfailed",
    )
    assert (await person.client.get("/stream/overview")).status_code == 401
    assert (await person.client.post("/do/pause?queue=q")).status_code == 401
    assert "Ended per second" not in reply.text


async def test_a_token_signs_in_and_out(yard: Yard, visit: Open) -> None:
    yard.queue("q")
    person = visit(token=TOKEN, read_token=READ_TOKEN)
    refused = await person.sign_in("wrong")
    assert refused.status_code == 403
    assert "no token of this dashboard" in refused.text
    entered = await person.sign_in(TOKEN)
    assert (entered.status_code, entered.headers["location"]) == (303, "/workers")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    page = await person.see("/")
    assert any(each.get("formaction") == "/do/pause?queue=q" for each in page.all("button"))
    form_token = page.field("form_token")
    assert (await person.client.post("/sign-out", data={"form_token": form_token})).status_code == 303
    assert (await person.client.get("/")).status_code == 303


async def test_who_may_only_look_has_no_buttons_and_is_refused(yard: Yard, visit: Open) -> None:
    queue = yard.queue("q")
    person = visit(token=TOKEN, read_token=READ_TOKEN)
    await person.sign_in(READ_TOKEN)
    page = await person.see("/")
    assert [each for each in page.all("button") if "formaction" in each] == []
    assert "change nothing" in page.text
    fields = {"form_token": page.field("form_token"), "sure": "1"}
    reply = await person.client.post("/do/pause?queue=q", data=fields)
    assert (reply.status_code, reply.text) == (403, "you may only look")
    assert not await queue.is_paused()


async def test_a_form_without_the_session_s_token_is_refused(yard: Yard, visit: Open) -> None:
    queue = yard.queue("q")
    one, other = visit(unprotected=True), visit(unprotected=True)
    foreign = (await other.see("/")).field("form_token")
    own = (await one.see("/")).field("form_token")
    for fields in ({}, {"form_token": ""}, {"form_token": foreign}):
        reply = await one.client.post("/do/pause?queue=q", data={"sure": "1", **fields})
        assert reply.status_code == 403
    crossed = await one.client.post(
        "/do/pause?queue=q", data={"sure": "1", "form_token": own}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert crossed.status_code == 403
    assert not await queue.is_paused()


async def test_the_host_s_own_sign_in_is_asked(yard: Yard, visit: Open) -> None:
    yard.queue("q")

    def viewer_of(request: HTTPConnection) -> Viewer | None:
        user = request.headers.get("x-user")
        return Viewer(user, can_act=user == "ada") if user else None

    person = visit(authenticate=viewer_of)
    assert (await person.client.get("/")).status_code == 403
    assert (await person.client.get("/", headers={"x-user": "bob"})).status_code == 200
    person.client.headers["x-user"] = "ada"
    await person.do("/do/pause?queue=q")
    (entry,) = await yard.app.monitor.audit.list()
    assert (entry.who, entry.action, entry.queue) == ("ada", "pause", "q")


async def test_another_name_is_not_answered_to(visit: Open) -> None:
    person = visit(unprotected=True, hosts=["localhost"])
    assert (await person.client.get("/")).status_code == 421
    assert (await person.client.get("/sign-in")).status_code == 421
    assert (await person.client.get("/", headers={"host": "localhost:8400"})).status_code == 200


async def test_every_answer_has_a_strict_policy(yard: Yard, visit: Open) -> None:
    person = visit()
    for path in ("/", "/nothing", "/static/app.js", "/job?queue=none&id=1", "/sign-in", "/do/pause"):
        reply = await person.client.get(path)
        policy = reply.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert (await person.client.get("/static/app.js")).headers["cache-control"].endswith("immutable")
    assert (await person.client.get("/")).headers["cache-control"] == "no-store"


async def test_a_way_back_leads_nowhere_else(yard: Yard, visit: Open) -> None:
    yard.queue("q")
    person = visit()
    form_token = (await person.see("/")).field("form_token")
    for back in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/\n/x"):
        fields = {"form_token": form_token, "sure": "1", "back": back}
        reply = await person.client.post("/do/resume?queue=q", data=fields)
        assert (reply.status_code, reply.headers["location"]) == (303, "/")


async def test_a_form_that_is_too_large_is_refused(visit: Open) -> None:
    person = visit()
    await person.see("/")
    reply = await person.client.post("/do/edit", content=b"x" * (8 * 1024 * 1024 + 1))
    assert reply.status_code == 413


@pytest.mark.parametrize("base", ["", "/ops/stockyard"])
async def test_addresses_begin_with_the_base_path(yard: Yard, visit: Open, base: str) -> None:
    yard.queue("q")
    person = visit(base)
    for view in VIEWS.values():
        if view.has_menu:
            page = await person.see(f"{base}/" if view.name == "overview" else f"{base}/{view.name}")
            addresses = [
                each.get("href") or each.get("action") or each.get("formaction") or "" for _, each in page.elements
            ]
            away = [each for each in addresses if each and each[0] != "#" and not each.startswith(f"{base}/")]
            assert away == []


def test_without_the_extra_one_error_says_what_to_install() -> None:
    program = """
import sys
for name in ("jinja2", "starlette"):
    sys.modules[name] = None
import stockyard.dashboard
try:
    stockyard.dashboard.Dashboard
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "stockyard.dashboard needs the extra: pip install 'stockyard[dashboard]'\n"
