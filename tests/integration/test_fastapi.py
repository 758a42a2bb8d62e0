"""The example of a FastAPI service: its answers, its streams, and that it stops on SIGTERM while they are open."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest

from tests.support.documents import ROOT
from tests.support.forked import Forked
from tests.support.waiting import eventually

pytest.importorskip("fastapi", reason="the example needs FastAPI: `pip install fastapi websockets`")
pytest.importorskip("websockets", reason="the example needs it: `pip install fastapi websockets`")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class Service:
    """The example under uvicorn."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        found = response.status, json.loads(response.read())
        connection.close()
        return found

    @contextmanager
    def stream(self) -> Iterator[http.client.HTTPResponse]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/fills")
            with connection.getresponse() as response:
                yield response

    def stop(self) -> str:
        """Send SIGTERM; return the log."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=60)[1]


@contextmanager
def serving(redis_url: str, prefix: str) -> Iterator[Service]:
    command = [sys.executable, "-m", "uvicorn", "--port=0", "examples.fastapi_service:api"]
    settings = {"REDIS_URL": redis_url, "STOCKYARD_PREFIX": prefix, "STOCKYARD_CALL_TIMEOUT": "1"}
    with Forked(command, env={**os.environ, **settings}, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = ""
        while "running on" not in log:
            line = process.stderr.readline()
            assert line, log
            log += line
        found = re.search(r"127\.0\.0\.1:(\d+)", log)
        assert found
        try:
            yield Service(process, int(found[1]))
        finally:
            process.kill()


def is_ready(service: Service) -> bool:
    return bool(service.ask("GET", "/ready")[0] == 200)


async def test_it_adds_runs_and_shows_orders(redis_url: str, prefix: str) -> None:
    with serving(redis_url, prefix) as service:
        await eventually(partial(is_ready, service))
        order = {"symbol": "BTCUSDT", "quantity": 2}
        assert service.ask("POST", "/orders?order_id=A1", order) == (202, {"id": "A1"})
        fill = {"order": "A1", **order}
        await eventually(
            lambda: service.ask("GET", "/orders/A1") == (200, {"id": "A1", "state": "completed", "fill": fill})
        )
        assert service.ask("GET", "/orders/none")[0] == 404
        assert service.ask("POST", "/orders", {"symbol": "BTCUSDT", "quantity": 0})[0] == 422
        # Without its id, an order that is sent again would be added again.
        for order_id in ("", "17", "a:b"):
            status, answer = service.ask("POST", f"/orders?order_id={order_id}", order)
            assert (status, str(answer["detail"])[:7]) == (422, "job_id ")


async def test_it_answers_503_without_a_server_and_stops() -> None:
    with serving("redis://127.0.0.1:1/0", "bull") as service:
        assert service.ask("POST", "/orders", {"symbol": "BTCUSDT", "quantity": 2})[0] == 503
        assert service.ask("GET", "/orders/A1")[0] == 503
        assert service.ask("GET", "/ready")[0] == 503
        assert "Traceback" not in service.stop()


async def test_it_stops_on_a_signal_while_streams_are_open(redis_url: str, prefix: str) -> None:
    """Two seconds suffice; a busy machine gets more than one try."""
    took = []
    for _ in range(3):
        with serving(redis_url, prefix) as service:
            await eventually(partial(is_ready, service))
            with service.stream() as stream, connect(f"ws://127.0.0.1:{service.port}/fills/socket") as socket:
                assert stream.readline().startswith(b"id:")
                service.ask("POST", "/orders", {"symbol": "BTCUSDT", "quantity": 2})
                assert json.loads(socket.recv(timeout=60))["value"]["symbol"] == "BTCUSDT"
                began = time.monotonic()
                log = service.stop()
                took.append(time.monotonic() - began)
                with pytest.raises(ConnectionClosed) as closed:
                    socket.recv(timeout=60)
                # Whole: http.client raises IncompleteRead for a stream that was cut off.
                assert b'"symbol":"BTCUSDT"' in stream.read()
            assert closed.value.rcvd is not None
            assert "Traceback" not in log
            assert "Finished server process" in log
            assert service.process.returncode in (0, -signal.SIGTERM)
        if took[-1] < 2:
            return
    raise AssertionError(took)
