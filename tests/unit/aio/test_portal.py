"""The loop in a thread, for code without one."""

import asyncio
import copy
import inspect
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import pytest

from stockyard._aio.cached_property import CachedProperty
from stockyard._aio.portal import Blocking, Portal
from stockyard._aio.shared import cancelled
from stockyard.errors import BlockingCallRefused, SharedWorkCancelled


class Target:
    constant = 7

    async def add(self, a: int, *, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    async def fail(self) -> None:
        raise ValueError("no")

    def plain(self) -> str:
        return "plain"


def test_coroutine_methods_block_and_others_are_as_they_are() -> None:
    portal = Portal()
    view = portal.blocking(Target())
    assert not portal.is_open
    assert (view.add(1, b=2), view.plain(), view.constant) == (3, "plain", 7)
    assert portal.is_open
    with pytest.raises(ValueError, match="no"):
        view.fail()
    with pytest.raises(AttributeError):
        view.missing  # noqa: B018
    portal.close()
    portal.close()
    assert not portal.is_open
    assert view.add(1, b=1) == 2
    portal.close()


class Countdown:
    """What is entered and iterated."""

    def __init__(self) -> None:
        self.left = 0
        self.ended: list[object] = []

    async def __aenter__(self) -> "Countdown":
        self.left = 3
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        self.ended.append(kind)

    async def __anext__(self) -> int:
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        return self.left


def test_what_is_entered_and_iterated_is_so_by_plain_code() -> None:
    portal, target = Portal(), Countdown()
    with portal.blocking(target) as view:
        assert list(view) == [2, 1, 0]
        assert list(view) == []
    with pytest.raises(KeyError), portal.blocking(target):
        raise KeyError
    assert target.ended == [None, KeyError]
    portal.close()


async def test_in_a_loop_a_blocking_call_is_refused_and_names_what_to_await() -> None:
    portal, countdown = Portal(), portal_of(Countdown())
    with pytest.raises(BlockingCallRefused, match=r"Target\.add of \.sync blocks .* write `await ….add\(…\)`"):
        portal.blocking(Target()).add(1, b=2)
    with pytest.raises(BlockingCallRefused, match="async with"), countdown:
        pass
    with pytest.raises(BlockingCallRefused, match="async for"):
        next(iter(countdown))
    assert not portal.is_open
    assert await asyncio.to_thread(portal.blocking(Target()).add, 1, b=2) == 3
    await asyncio.to_thread(portal.close)


def test_the_portal_s_own_loop_refuses_too() -> None:
    portal = Portal()
    view = portal.blocking(Target())

    async def call() -> int:
        return int(view.add(1, b=2))

    with pytest.raises(BlockingCallRefused):
        portal.run(call())
    portal.close()


def portal_of(target: object) -> Blocking:
    view: Blocking = Portal().blocking(target)
    return view


def test_many_threads_share_one_loop() -> None:
    portal = Portal()

    async def where() -> int:
        return threading.get_ident()

    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(portal.run(where()))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20
    assert len(set(seen)) == 1
    portal.close()


def test_closing_ends_what_runs() -> None:
    portal = Portal()
    cancelled = threading.Event()
    entered = threading.Event()

    async def wait() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def call() -> None:
        with pytest.raises(BlockingCallRefused, match="closed while"):
            portal.run(wait())

    thread = threading.Thread(target=call)
    thread.start()
    assert entered.wait(5)
    portal.close()
    thread.join(5)
    assert not thread.is_alive()
    assert cancelled.is_set()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    portal = Portal()
    view = portal.blocking(Target())
    assert view.add(1, b=2) == 3
    child = os.fork()
    if child == 0:
        os._exit(0 if not portal.is_open and view.add(2, b=2) == 4 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    portal.close()


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)


def test_a_call_while_the_interpreter_shuts_down_raises_and_does_not_hang() -> None:
    program = """
import asyncio, sys
from stockyard._aio.portal import Portal
portal = Portal()
portal.run(asyncio.sleep(0))
class Late:
    def __init__(self, call, work, kind):
        self.call, self.work, self.kind = call, work, kind
    def __del__(self, print=print):
        try:
            self.call(self.work(0))
        except self.kind as error:
            print(error)
from stockyard.errors import BlockingCallRefused
sys.modules["late"] = Late(portal.run, asyncio.sleep, BlockingCallRefused)
"""
    ended = run_program(program)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "the interpreter shuts down" in ended.stdout


def test_a_call_under_way_when_the_portal_closes_ends() -> None:
    portal = Portal()
    began = threading.Event()

    async def wait() -> None:
        began.set()
        await asyncio.Event().wait()

    caught: list[BaseException] = []

    def call() -> None:
        try:
            portal.run(wait())
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert began.wait(10)
    portal.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(caught) == 1


@pytest.mark.skipif(find_spec("gevent") is None, reason="gevent is not installed")
@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("", "monkey.patch_all(thread=False, select=False)"),
        ("thread=False", "select=False"),
        ("thread=False, select=False", "7"),
    ],
)
def test_under_gevent_calls_work_or_say_how_to_patch(patch: str, said: str) -> None:
    program = f"""
from gevent import monkey
monkey.patch_all({patch})
import asyncio, gevent
from stockyard._aio.portal import Portal
portal = Portal()
def call():
    try:
        print(portal.run(asyncio.sleep(0, 7)))
    except RuntimeError as error:
        print(error)
gevent.joinall([gevent.spawn(call)])
portal.close()
"""
    ended = run_program(program)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert said in ended.stdout


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_forked_while_another_thread_makes_a_call_is_not_blocked() -> None:
    portal, held, release = Portal(), threading.Event(), threading.Event()
    view = portal.blocking(Target())
    assert view.add(1, b=2) == 3

    def hold() -> None:
        with portal._guard:
            held.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if view.add(2, b=2) == 4 else 1)
    release.set()
    thread.join(10)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    portal.close()


def test_a_signal_handler_that_interrupts_a_call_may_make_one(monkeypatch: pytest.MonkeyPatch) -> None:
    portal, results = Portal(), []
    view = portal.blocking(Target())
    hand_over = asyncio.run_coroutine_threadsafe

    def interrupted(*given: Any) -> Any:
        # As a handler runs within the locked part of a call.
        monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", hand_over)
        results.append(view.add(1, b=1))
        return hand_over(*given)

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
    thread = threading.Thread(target=lambda: results.append(view.add(1, b=2)), daemon=True)
    thread.start()
    thread.join(10)
    assert results == [2, 3]
    portal.close()


@pytest.mark.parametrize("is_handed_over", [False, True])
def test_an_interrupt_of_a_call_is_what_it_raises(monkeypatch: pytest.MonkeyPatch, is_handed_over: bool) -> None:
    portal, ended = Portal(), threading.Event()
    portal.run(asyncio.sleep(0))
    hand_over = asyncio.run_coroutine_threadsafe
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def interrupted(*given: Any) -> None:
        if is_handed_over:
            hand_over(*given)
            assert begun.wait(10)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
        coroutine = work()
        with pytest.raises(KeyboardInterrupt):
            portal.run(coroutine)
    portal.run(asyncio.sleep(0))
    assert begun.is_set() is is_handed_over
    assert not is_handed_over or ended.wait(10)
    portal.close()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    assert not portal._pending


def test_threads_compute_a_cached_property_once() -> None:
    class Holder:
        computed = 0

        @CachedProperty
        def value(self) -> object:
            Holder.computed += 1
            return object()

    holder, barrier = Holder(), threading.Barrier(8)

    def read() -> object:
        barrier.wait(10)
        return holder.value

    with ThreadPoolExecutor(8) as pool:
        values = {future.result() for future in [pool.submit(read) for _ in range(8)]}
    assert values == {holder.value}
    assert Holder.computed == 1


def test_a_close_that_breaks_off_shared_work_is_named_as_the_cause() -> None:
    portal = Portal()

    async def fail() -> None:
        raise cancelled("the load")

    with pytest.raises(SharedWorkCancelled):
        portal.run(fail())
    with portal.cutting_off(), pytest.raises(BlockingCallRefused, match="the app was closed while"):
        portal.run(fail())
    with pytest.raises(SharedWorkCancelled):
        portal.run(fail())
    portal.close()


def test_a_view_lists_what_its_object_has_can_be_copied_and_is_not_assigned() -> None:
    portal = Portal()
    view = portal.blocking(Target())
    assert {"add", "fail", "plain", "constant"} <= set(dir(view))
    assert view.add(1, b=2) == 3
    assert copy.copy(view).add(2, b=2) == 4
    with pytest.raises(AttributeError, match="constant cannot be assigned on <blocking view"):
        view.constant = 8
    assert view.constant == 7
    with pytest.raises(AttributeError):
        view.__missing__  # noqa: B018
    portal.close()
