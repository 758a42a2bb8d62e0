"""The files of deploy/ reach those who installed the package."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from stockyard.cli import main

ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(str(path.relative_to(ROOT / "deploy")) for path in (ROOT / "deploy").rglob("*") if path.is_file())


def test_every_file_is_listed_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "list"]) == 0
    assert capsys.readouterr().out.split() == NAMES
    for name in NAMES:
        assert main(["deploy", "show", name]) == 0
        assert capsys.readouterr().out == (ROOT / "deploy" / name).read_text()


def test_a_wrong_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "show", "redis.cnf"]) == 2
    assert "did you mean 'redis.conf'?" in capsys.readouterr().err


def test_a_wheel_holds_them(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="builds a wheel: `pip install hatchling`")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = [name for name in archive.namelist() if name.startswith("stockyard/deployment/")]
    assert sorted(name.removeprefix("stockyard/deployment/") for name in held) == NAMES
