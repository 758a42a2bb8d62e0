"""Notifiers against receivers that answer slowly, wrongly, or with a redirect."""

import asyncio
import functools
import threading
from collections.abc import Callable

import pytest

from stockyard.errors import NotificationFailed
from stockyard.observe.alerts import send_thread
from stockyard.observe.alerts.incidents import Incident, Status
from stockyard.observe.alerts.notifiers import Notifier, Webhook
from tests.support.receivers import dripping, receiver, saying
from tests.support.waiting import eventually

FIRES = Incident("failed", "fills", Status.FIRING, 1, 3, 2, "investigate", "fills: failed is 3")
HEAD = b"HTTP/1.1 200 OK\r\nX-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    within = functools.partial(send_thread.send_within, seconds=0.3)
    monkeypatch.setattr("stockyard.observe.alerts.notifiers.send_within", within)


@pytest.mark.usefixtures("short_deadline")
@pytest.mark.parametrize(
    ("make", "drip"),
    [
        (lambda port: Webhook(f"http://127.0.0.1:{port}/hook"), HEAD),
        (lambda port: Webhook(f"https://127.0.0.1:{port}/hook"), b"\x16\x03\x03\x40\x00" + b"\x02" * 500),
    ],
    ids=["webhook", "TLS handshake"],
)
async def test_a_receiver_that_sends_a_byte_at_a_time_is_given_up_and_cut(
    make: Callable[[int], Notifier], drip: bytes
) -> None:
    with receiver(dripping(drip)) as slow:
        with pytest.raises(NotificationFailed, match=r"longer than 0\.3 s in all"):
            await make(slow.port).notify(FIRES)
        await eventually(slow.cut.is_set)
        await eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("send ")])


async def test_a_hanging_receiver_has_a_bounded_number_of_threads() -> None:
    released = threading.Event()

    def hang(_connection: send_thread.AbortableConnection) -> None:
        released.wait(30)

    async def send() -> None:
        await send_thread.send_within("hanging", hang, seconds=0.05)

    try:
        for _ in range(send_thread.MOST_THREADS):
            with pytest.raises(NotificationFailed, match="longer"):
                await send()
        with pytest.raises(NotificationFailed, match=f"{send_thread.MOST_THREADS} earlier notifications hang"):
            await send()
    finally:
        released.set()
    await eventually(lambda: "send hanging" not in [each.name for each in threading.enumerate()])
    await send_thread.send_within("hanging", lambda _connection: None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_nothing_goes_to_its_target(status: int) -> None:
    with receiver(saying(b"HTTP/1.1 204 No Content\r\n\r\n")) as target:
        reached = threading.Event()
        target._answer = lambda *_: reached.set()
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: http://localhost:{target.port}/x?token=s3cret\r\n\r\n"
        with receiver(saying(moved.encode())) as hook:
            sender = Webhook(f"http://127.0.0.1:{hook.port}/", {"Authorization": "Bearer s3cret"})
            with pytest.raises(
                NotificationFailed, match=f"answered {status} .* to localhost: .* not followed"
            ) as info:
                await sender.notify(FIRES)
        assert "s3cret" not in str(info.value)
        assert not reached.is_set()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 " + b"2" * 70_000,
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
    ],
    ids=["nothing", "garbage", "no status", "too many headers", "too long a line", "no URL"],
)
async def test_an_answer_that_is_no_http_is_a_failure_of_its_own_kind(answer: bytes) -> None:
    with receiver(saying(answer)) as hook, pytest.raises(NotificationFailed, match=r"^webhook at 127\.0\.0\.1 "):
        await Webhook(f"http://127.0.0.1:{hook.port}/").notify(FIRES)


async def test_a_loop_that_ends_is_not_held_up_by_a_send() -> None:
    released = threading.Event()

    def hang(_connection: send_thread.AbortableConnection) -> None:
        released.wait(30)

    sending = asyncio.create_task(send_thread.send_within("cancelled", hang))
    await eventually(lambda: "send cancelled" in [each.name for each in threading.enumerate()])
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    assert not released.is_set()
    released.set()
