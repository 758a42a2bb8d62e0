"""The example of two languages on one queue runs as its README says."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import OwnServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "node_interop"
NODE_MODULES = Path(__file__).parent / "node" / "node_modules"
NODE, PYTHON = "node", sys.executable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, with what npm installed for the other tests."""
    copy = tmp_path / "node_interop"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(NODE_MODULES)
    return copy


@contextmanager
def running(folder: Path, program: str, script: str, environment: dict[str, str]) -> Iterator[None]:
    """Run a worker beside the block, and let it end in order."""
    worker = subprocess.Popen([program, script], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield
        worker.terminate()
        _, complaints = worker.communicate(timeout=60)
        assert (worker.returncode, complaints) == (0, "")
    finally:
        worker.kill()
        worker.communicate()


@pytest.mark.parametrize(
    ("worker", "producer", "told"),
    [
        (
            (PYTHON, "worker.py"),
            (NODE, "producer.mjs"),
            "BTCUSDT: 0.5 at 32000\nETHUSDT: 4 at 12400\nBTCUSDT: 0.3 at 19000\n",
        ),
        (
            (NODE, "worker.mjs"),
            (PYTHON, "producer.py"),
            "".join(f"o-{number}: accepted by node-exchange\n" for number in (1, 2, 3)),
        ),
    ],
    ids=["Node adds, Python works", "Python adds, Node works"],
)
def test_one_side_adds_and_the_other_works(
    folder: Path,
    make_server: Callable[..., OwnServer],
    worker: tuple[str, str],
    producer: tuple[str, str],
    told: str,
) -> None:
    environment = {**os.environ, "REDIS_URL": make_server(port=True).url}
    with running(folder, *worker, environment):
        done = subprocess.run(
            producer, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    # The whole complaint is in the message: shortened, as a comparison is shown, it does not say what failed.
    assert not done.stderr, done.stderr
    assert (done.stdout, done.returncode) == (told, 0)


def test_the_readme_names_every_program() -> None:
    readme = (EXAMPLE / "README.md").read_text()
    assert all(program.name in readme for program in EXAMPLE.iterdir() if program.stem in ("producer", "worker"))
