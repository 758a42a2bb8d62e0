"""`stockyard scripts show` numbers lines as the server's error messages do."""

import re

import pytest

from stockyard._store.net.server import Server
from stockyard._store.scripts import load
from stockyard.cli import main
from stockyard.config import Settings
from stockyard.errors import ServerRefused


async def test_the_line_of_an_error_is_the_line_shown(redis_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = load("leasing.renew")
    server = Server(Settings.load(redis_url).address)
    with pytest.raises(ServerRefused) as refused:
        await server.run(script, [f"unused:{key}" for key in script.keys], "unused:", 1, b"\xc1")
    await server.aclose()
    quoted = re.search(r"user_script:(\d+)", str(refused.value))
    assert quoted

    assert main(["scripts", "show", "leasing.renew"]) == 0
    shown = capsys.readouterr().out.splitlines()[int(quoted[1]) - 1]
    assert shown.split()[0] == quoted[1]
    assert "cjson.decode(held)" in shown
