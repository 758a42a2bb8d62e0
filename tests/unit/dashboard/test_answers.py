"""What the dashboard answers without asking the server, and how a flow is drawn."""

from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import httpx
import pytest

from stockyard import App, InvalidOption, Topology
from stockyard.dashboard import Dashboard
from stockyard.dashboard.actions import ACTIONS
from stockyard.dashboard.latency import latency_of_jobs
from stockyard.dashboard.rendering import ASSETS, Place, draw
from stockyard.dashboard.tree_drawing import draw_flow
from stockyard.dashboard.views.all_views import VIEWS
from stockyard.model.flow import FlowTree

TOKEN = "a-token-of-this-test"


def away() -> App:
    topology = Topology("away")
    topology.queue("q")
    return App(topology, "redis://127.0.0.1:1")


def asking(base: str = "", **options: Any) -> httpx.AsyncClient:
    board = Dashboard(away(), **(options or {"token": TOKEN}))
    return httpx.AsyncClient(transport=httpx.ASGITransport(board, root_path=base), base_url="http://board.test")


async def test_the_form_to_sign_in_needs_no_server() -> None:
    async with asking() as client:
        page = await client.get("/sign-in?back=/alerts")
        assert page.status_code == 200
        assert 'name="back" value="/alerts"' in page.text
        # Who has not signed in sees no names of pages and queues.
        assert "Schedules" not in page.text
        assert (await client.get("/")).headers["location"] == "/sign-in?back=%2F"
        assert (await client.get("/none/of/these")).status_code == 303


@pytest.mark.parametrize("name", ASSETS)
async def test_a_file_is_served_under_its_version(name: str) -> None:
    async with asking("/ops") as client:
        reply = await client.get(Place("/ops", can_act=False).asset(name))
        assert reply.content == ASSETS[name].content
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert (await client.get("/ops/static/none.js")).status_code == 404


async def test_the_path_of_the_mount_is_the_overview() -> None:
    async with asking("/ops") as client:
        assert (await client.get("/ops")).headers["location"].startswith("/ops/sign-in")


def test_the_script_is_small_and_the_files_name_nothing_elsewhere() -> None:
    assert len(ASSETS["app.js"].content.splitlines()) < 400
    for name in ("app.js", "style.css"):
        text = ASSETS[name].content.decode()
        assert "http://" not in text
        assert "https://" not in text
        assert "eval(" not in text


def test_a_dashboard_is_made_of_an_app() -> None:
    with pytest.raises(InvalidOption, match="app must be"):
        Dashboard(cast("Any", "app"), unprotected=True)


def test_buttons_are_for_those_who_may_act() -> None:
    button = Place("/ops", can_act=True).act("remove", queue="a&b", id="x 1")
    assert 'formaction="/ops/do/remove?queue=a%26b&amp;id=x+1"' in button
    assert 'data-confirm="Remove job x 1 of a&amp;b for good?"' in button
    assert 'class="button danger"' in button
    assert Place("", can_act=False).act("remove", queue="q", id="1") == ""
    assert "danger" not in Place("", can_act=True).act("selected", queue="q", verb="retry")


def test_a_question_names_what_it_is_about() -> None:
    fields = {"queue": "q", "verb": "retry", "state": "failed"}
    assert ACTIONS["matching"].asked(fields) == "Retry all jobs of q that are failed?"
    assert ACTIONS["matching"].asked({**fields, "find": "BTC"}) == (
        "Retry all jobs of q that are failed and match “BTC”?"
    )
    assert "…" in ACTIONS["remove"].asked({})


def test_every_page_has_its_template_and_the_menu_its_letters() -> None:
    menu = [view for view in VIEWS.values() if view.has_menu]
    shown = draw(
        "error.html",
        Place("", can_act=True),
        views=menu,
        view=None,
        title="A <b>title</b>",
        message="none",
        viewer=SimpleNamespace(name="ada", can_act=True),
        needs_token=True,
        form_token="t",
        theme="dark",
        note=("bad", "Not done"),
        topology=Topology("t"),
        here="/",
        q="",
    )
    assert "A &lt;b&gt;title&lt;/b&gt;" in shown
    assert 'data-theme="dark"' in shown
    letters = [part.partition('"')[0] for part in shown.split('data-letter="')[1:]]
    assert len(letters) == len(set(letters)) == len(menu)


def job(name: str, **fields: Any) -> Any:
    given = {"id": f"id-{name}", "queue": "q&a", "name": name, "timestamp": 0, "delay_ms": 0, "attempts_made": 1}
    return SimpleNamespace(**{"processed_on": None, "finished_on": None, **given, **fields})


def test_a_flow_is_drawn_from_left_to_right() -> None:
    leaves = tuple(FlowTree(job(f"leaf <{n}>")) for n in range(3))
    tree = FlowTree(job("root"), (FlowTree(job("middle"), leaves[:2]), leaves[2]))
    states = {("q&a", "id-root"): "waiting-children", ("q&a", "id-middle"): "completed"}
    drawn = draw_flow(tree, states, lambda queue, job_id: f"/job?queue={queue}&id={job_id}", current="id-middle")
    root = ElementTree.fromstring(drawn)
    nodes = root.findall("a")
    assert [node.attrib["class"] for node in nodes][:2] == [
        "node state-waiting-children",
        "node state-completed current",
    ]
    assert nodes[0].attrib["href"] == "/job?queue=q&a&id=id-root"
    assert len(root.findall(".//path")) == 4
    across = [float(rect.attrib["x"]) for rect in root.iter("rect")]
    assert (across[0] < across[1] < across[2], across[1], across[2]) == (True, across[4], across[3])


def test_latency_leaves_out_what_never_ran_and_waits_of_later_attempts() -> None:
    jobs = [
        job(str(n), timestamp=1000, delay_ms=500, processed_on=1500 + n, finished_on=2500 + n) for n in range(100)
    ]
    jobs += [job("again", attempts_made=2, processed_on=90_000, finished_on=90_500), job("never")]
    found = latency_of_jobs(jobs)
    assert (found.jobs, found.run.half, found.run.most) == (101, 1.0, 1.0)
    assert found.wait == (0.05, 0.095)
    assert latency_of_jobs([]).run == (None, None)
