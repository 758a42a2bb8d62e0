"""The examples run as a newcomer runs them."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_queue_usage_uses_every_queue() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "queue_usage.py"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = done.stdout
    assert told.index("answering user-123") < told.index("moved by fill-456")
    assert "same job: True  result: acknowledged at attempt 2 of 5" in told
    assert "failed without a retry: there are no candles of NOSUCH" in told
    assert "result: 8955050  progress: {'percent': 50}" in told
    assert "planned for later: 1" in told
    assert "alerts: none" in told
