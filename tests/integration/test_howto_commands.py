"""The commands and the Node program that how-to pages show run."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from stockyard import App, Topology
from tests.support.documents import ROOT, shell_blocks
from tests.support.ports import free_port
from tests.support.program import Program
from tests.support.servers import OwnServer
from tests.support.waiting import wait_until

HOWTO = ROOT / "docs" / "howto"
NODE_MODULES = ROOT / "tests" / "interop" / "node" / "node_modules"


def test_the_users_of_the_page_on_securing_read_the_queues(tmp_path: Path) -> None:
    users, server, read = shell_blocks(HOWTO / "securing.md")
    port = free_port()
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith(("REDIS_", "STOCKYARD_"))
    }
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PORT": str(port)}

    def command(block: str) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", block]

    def run(block: str) -> str:
        done = subprocess.run(
            command(block), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    run(users)
    in_front = re.sub(r'^"\$server"', 'exec "$server"', server, flags=re.M).rstrip().removesuffix("&")
    with Program(command(in_front), cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as running:
        wait_until(answers)
        assert "execution:order_submission" in run(read)
        running.terminate()


@pytest.mark.interop
async def test_the_program_of_the_page_on_bull_board_shows_a_queue(
    make_server: Callable[..., OwnServer], tmp_path: Path
) -> None:
    (program,) = re.findall(r"```js\n(.*?)```", (HOWTO / "bull-board.md").read_text(), re.S)
    (tmp_path / "board.mjs").write_text(program)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    server = make_server(port=True)
    desk = Topology("desk")
    desk.queue("execution:orders")
    async with App(desk, server.url) as app:
        await app.queue("execution:orders").add("submit", {"symbol": "BTCUSDT"})
    environment = {
        **os.environ,
        "REDIS_URL": server.url,
        "QUEUES": "mail execution:orders",
        "PORT": str(free_port()),
    }
    environment.pop("STOCKYARD_PREFIX", None)
    with Program(["node", "board.mjs"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as board:
        assert board.stdout is not None
        url = board.stdout.readline().strip()
        async with httpx.AsyncClient(timeout=30) as client:
            shown = (await client.get(f"{url}api/queues")).json()
        board.terminate()
    names = {queue["name"]: queue["counts"]["waiting"] for queue in shown["queues"]}
    assert {"mail": 0, "execution:orders": 1}.items() <= names.items() or list(names.values()) == [0, 1], names
