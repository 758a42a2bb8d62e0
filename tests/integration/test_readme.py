"""What the README says runs, and says everything there is."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stockyard import AddOptions, QueueSpec, WorkerOptions
from stockyard.trading import PLATFORM

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"<!-- run -->\n```python\n(.*?)```", README, re.S)
EXAMPLE = re.search(r"<!-- (examples/\S+) -->\n```python\n(.*?)```", README, re.S)

# As in an asyncio shell, where `await` needs no function around it.
_SHELL = """
import ast, asyncio, inspect, sys
code = compile(sys.stdin.read(), "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
names = {"__name__": "readme"}
sys.modules["readme"] = type(sys)("readme")
async def main():
    pending = eval(code, names)
    if inspect.isawaitable(pending):
        await pending
if code.co_flags & inspect.CO_COROUTINE:
    asyncio.run(main())
else:
    exec(code, names)
"""


def run(program: list[str], text: str = "", **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *program],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[-1][:40])
def test_a_block_runs(block: str, redis_url: str, prefix: str) -> None:
    run(["-c", _SHELL], block, REDIS_URL=redis_url, STOCKYARD_PREFIX=prefix)


def test_there_are_blocks_to_run() -> None:
    assert len(BLOCKS) >= 4


def test_the_first_example_is_the_file_and_runs_on_a_server_of_its_own(tmp_path: Path) -> None:
    assert EXAMPLE is not None
    file = ROOT / EXAMPLE[1]
    _, _, code = file.read_text().partition('"""\n\n')
    assert EXAMPLE[2] == code
    assert run([str(file)], XDG_DATA_HOME=str(tmp_path)) == "welcomed ada@example.org\n"


@pytest.mark.parametrize(
    "options",
    [
        list(AddOptions.__annotations__),
        [each for each in inspect.signature(QueueSpec.declare).parameters if each != "name"],
        list(WorkerOptions.__dataclass_fields__),
    ],
    ids=["of add", "of a queue", "of a worker"],
)
def test_every_option_is_named(options: list[str]) -> None:
    _, _, section = README.partition("## Options")
    section, _, _ = section.partition("\n## ")
    assert [option for option in options if not re.search(rf"\b{option}\b", section)] == []


def test_the_platform_s_numbers_are_the_declared_ones() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([a-z_:]+)` \| (\d+) \| (\d+) \|", README, re.M)
    assert [(name, int(concurrency), int(attempts)) for _, name, concurrency, attempts in rows] == [
        (spec.name, spec.concurrency, spec.defaults.attempts) for spec in PLATFORM
    ]
    assert [constant.lower().replace("_", ":", 1) for constant, *_ in rows] == [spec.name for spec in PLATFORM]


def test_every_link_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []
