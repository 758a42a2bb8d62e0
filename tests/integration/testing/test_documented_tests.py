"""The files of the page on testing are a project whose tests pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.documents import ROOT

PAGE = ROOT / "docs" / "howto" / "testing.md"
FILES = re.findall(r'<!-- test -->\n```python title="([^"]+)"\n(.*?)```', PAGE.read_text(), re.S)
SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
addopts = -p stockyard.testing.plugin -p no:stockyard
filterwarnings = error
"""


def test_the_tests_of_the_page_pass(tmp_path: Path, redis_url: str) -> None:
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--stockyard-url", redis_url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = sum(text.count("\nasync def test_") + text.count("\ndef test_") for _, text in FILES)
    assert f"{tests} passed" in done.stdout
    assert tests >= 6


def test_every_python_block_of_the_page_is_a_file_of_the_project() -> None:
    assert PAGE.read_text().count("```python") == len(FILES)
    assert len({name for name, _ in FILES}) == len(FILES)
