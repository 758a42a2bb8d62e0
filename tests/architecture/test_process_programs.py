"""Tests start hundreds of processes: what these import decides how long all tests take."""

from pathlib import Path

from tests.support.documents import ROOT, run_program

PROGRAMS = [
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
    for pattern in ("*programs.py", "players.py", "doomed_*.py", "*handlers.py")
    for path in sorted(Path(ROOT / "tests").rglob(pattern))
    if not path.name.startswith("test_")
]
HEAVY = ["httpx", "hypothesis", "opentelemetry", "pytest", "redis"]


def test_programs_of_tests_import_nothing_heavy() -> None:
    assert len(PROGRAMS) >= 10
    lines = [f"import {name}" for name in PROGRAMS]
    code = "\n".join([*lines, "import sys", f"print(*(set({HEAVY!r}) & sys.modules.keys()))"])
    assert run_program(["-c", code]).split() == []
