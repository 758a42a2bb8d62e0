"""Our own dashboard in Chromium: live, safe, by keys."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from stockyard import Job
from stockyard.dashboard import Dashboard
from tests.support.boards import served
from tests.support.waiting import eventually
from tests.support.yard import Yard

QUEUE = "execution:orders"
TOKEN = "the-token-of-this-test"


async def work(job: Job[Any]) -> None:
    if job.name == "bad":
        raise ValueError(f"order {job.id} has no margin")
    if job.name == "slow":
        await asyncio.Event().wait()


@pytest_asyncio.fixture(loop_scope="session")
async def yard(redis_url: str, prefix: str) -> AsyncIterator[Yard]:
    async with Yard(redis_url, prefix) as yard:
        yard.queue(QUEUE, attempts=1)
        yield yard


@pytest_asyncio.fixture(loop_scope="session")
async def address(yard: Yard) -> AsyncIterator[str]:
    board = Dashboard(yard.app, token=TOKEN)
    async with served(board) as address:
        yield address
    await board.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def seen(browser: Browser, address: str) -> AsyncIterator[Page]:
    """A page of somebody who has signed in; whatever the browser complains about fails the test."""
    complaints: list[str] = []

    def note(text: str, is_wrong: bool) -> None:
        complaints.extend([text] if is_wrong else [])

    async with await browser.new_context(
        viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    ) as context:
        page = await context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda message: note(message.text, message.type == "error"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: note(request.url, not request.url.startswith(address)))
        await page.goto(f"{address}/")
        await page.get_by_label("Your name").fill("ada")
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield page
        await page.goto("about:blank")
    assert complaints == []


async def failed(yard: Yard, number: int) -> None:
    queue = yard.queue(QUEUE)
    await queue.add_many([("bad", {"n": n}, {"job_id": f"b{n}"}) for n in range(number)])
    worker = await yard.work(work, QUEUE, concurrency=10)

    async def are_failed() -> bool:
        return await queue.count("failed") == number

    await eventually(are_failed)
    await worker.stop()


async def test_a_page_follows_its_queue_and_keeps_ticks_and_focus(seen: Page, address: str, yard: Yard) -> None:
    await failed(yard, 3)
    await seen.goto(f"{address}/queue?name={QUEUE}&state=failed")
    await expect(seen.locator("#status")).to_have_attribute("data-state", "live")
    await seen.get_by_label("Select job b1").check()
    await expect(seen.locator("[data-ticked]")).to_have_text("1 selected")
    await seen.get_by_label("Filter").fill("half a wo")
    await yard.queue(QUEUE).add("bad", {"n": 9}, job_id="b9")
    worker = await yard.work(work, QUEUE)
    await expect(seen.get_by_role("link", name="b9")).to_be_visible()
    await worker.stop()
    await expect(seen.get_by_label("Select job b1")).to_be_checked()
    await expect(seen.get_by_label("Filter")).to_have_value("half a wo")
    await expect(seen.get_by_label("Filter")).to_be_focused()


async def test_selected_jobs_are_retried_once_that_is_confirmed(seen: Page, address: str, yard: Yard) -> None:
    await failed(yard, 3)
    await seen.goto(f"{address}/queue?name={QUEUE}&state=failed")
    # The first look of the page may be from before they failed.
    await expect(seen.locator("input[name=selected]")).to_have_count(3)
    await seen.get_by_label("Select all jobs").check()
    await expect(seen.locator("[data-ticked]")).to_have_text("3 selected")
    await seen.get_by_role("button", name="Retry selected").click()
    await seen.get_by_role("dialog").get_by_role("button", name="No").click()
    assert await yard.queue(QUEUE).count("failed") == 3
    await seen.get_by_role("button", name="Retry selected").click()
    await expect(seen.get_by_role("dialog")).to_contain_text(f"Retry the selected jobs of {QUEUE}?")
    await seen.get_by_role("dialog").get_by_role("button", name="Yes").click()
    await expect(seen.locator("#operation")).to_contain_text("done")
    await expect(seen.locator("#operation")).to_contain_text("3 of 3")
    assert await yard.queue(QUEUE).count("waiting") == 3


async def test_an_action_leaves_the_page_where_it_is(seen: Page, yard: Yard) -> None:
    await seen.get_by_role("button", name=f"Pause {QUEUE}").click()
    await seen.get_by_role("dialog").get_by_role("button", name="Yes").click()
    await expect(seen.locator("#note")).to_contain_text(f"Done: queue {QUEUE} is paused.")
    await expect(seen.get_by_role("button", name=f"Resume {QUEUE}")).to_be_visible()
    assert await yard.queue(QUEUE).is_paused()


async def test_data_is_edited_and_the_job_retried(seen: Page, address: str, yard: Yard) -> None:
    await failed(yard, 1)
    await seen.goto(f"{address}/job?queue={QUEUE}&id=b0")
    await seen.get_by_label("Data, as JSON").fill('{"n": 77}')
    await seen.get_by_role("button", name="Save and retry").click()
    await seen.get_by_role("dialog").get_by_role("button", name="Yes").click()
    await expect(seen.locator("#note")).to_contain_text("it waits again")
    job = await yard.queue(QUEUE).get_job("b0")
    assert job is not None
    assert job.data == {"n": 77}


async def test_the_keyboard_suffices(seen: Page, yard: Yard) -> None:
    await yard.queue(QUEUE).add("good", {"symbol": "BTCUSDT"}, job_id="find-me")
    await seen.locator("body").press("g")
    await seen.locator("body").press("w")
    await expect(seen.get_by_role("heading", name="Workers")).to_be_visible()
    await seen.locator("body").press("/")
    await seen.keyboard.type("data.symbol:BTCUSDT")
    await seen.keyboard.press("Enter")
    await expect(seen.get_by_role("link", name="find-me")).to_be_visible()
    await expect(seen.locator("#progress")).to_contain_text("all of them")
    await seen.locator("h1").click()
    await seen.keyboard.press("j")
    await expect(seen.get_by_role("link", name="find-me")).to_be_focused()
    await seen.keyboard.press("Enter")
    await expect(seen.get_by_role("heading", level=1)).to_contain_text("find-me")
    await seen.locator("body").press("?")
    await expect(seen.get_by_role("dialog", name="Keys")).to_be_visible()
    await seen.keyboard.press("Escape")


async def test_a_hidden_tab_closes_its_stream_and_times_follow_the_choice(seen: Page) -> None:
    await expect(seen.locator("#status")).to_have_attribute("data-state", "live")
    await seen.evaluate(
        """Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
        document.dispatchEvent(new Event("visibilitychange"))"""
    )
    await expect(seen.locator("#status")).to_have_text("paused")
    zone = seen.locator("#zone")
    await zone.click()
    await expect(zone).to_have_text("UTC")
    before = await seen.evaluate("getComputedStyle(document.body).backgroundColor")
    await seen.locator("#theme").click()
    assert await seen.evaluate("getComputedStyle(document.body).backgroundColor") != before
    await seen.reload()
    await expect(seen.locator("html")).to_have_attribute("data-theme", "dark")
