"""Every file is short, has one role and says it in its first line, and is finished."""

import ast
import re
import tokenize
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, SOURCE, files, name

LONGEST_FILE, LONGEST_LUA_BODY = 400, 150
NO_ROLE = {"utils", "util", "common", "helpers", "helper", "base", "misc"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE = re.compile(r"(?<![\w.~-])/(wo" r"rk|ho" r"me|ro" r"ot|Us" r"ers|tmp/br" r"ief)/\w")

PYTHON = list(files(".py"))
INITS = sorted(SOURCE.rglob("__init__.py"))


def test_no_file_is_longer_than_it_may_be() -> None:
    measured = {name(path): _lines(path) for path in files(".py", ".lua", ".mjs", ".html", ".css", ".js")}
    assert measured
    assert {path: lines for path, lines in measured.items() if lines > LONGEST_FILE} == {}


def test_no_script_has_a_long_body() -> None:
    bodies = {name(path): _lines(path) for path in SOURCE.rglob("*.lua")}
    assert bodies
    assert {path: lines for path, lines in bodies.items() if lines > LONGEST_LUA_BODY} == {}


def test_every_module_says_its_role_in_one_line() -> None:
    silent = [name(path) for path in PYTHON if not _first_line(path)]
    assert silent == []


def test_no_module_is_a_drawer() -> None:
    assert [name(path) for path in PYTHON if path.stem in NO_ROLE or path.parent.name in NO_ROLE] == []


@pytest.mark.parametrize("path", INITS, ids=name)
def test_an_init_only_passes_names_on(path: Path) -> None:
    _, *rest = ast.parse(path.read_text()).body
    if not rest:
        return
    *imports, names = rest
    if len(imports) == 2 and isinstance(imports[1], ast.If):
        imports = _lazily_imported(imports[0], imports[1])
    passed_on = []
    for statement in imports:
        assert isinstance(statement, ast.ImportFrom), f"line {statement.lineno} is no re-export"
        passed_on += [alias.asname or alias.name for alias in statement.names]
    assert isinstance(names, ast.Assign)
    assert ast.unparse(names.targets[0]) == "__all__"
    assert ast.literal_eval(names.value) == sorted(passed_on)


def _lazily_imported(first: ast.stmt, switch: ast.If) -> list[ast.stmt]:
    """Return the imports that type checkers see; at run time, the same names come from the same modules."""
    assert ast.unparse(first) == "from typing import TYPE_CHECKING"
    assert ast.unparse(switch.test) == "TYPE_CHECKING"
    helper, assignment = switch.orelse
    assert ast.unparse(helper) == "from stockyard._lazy import lazy_names"
    assert isinstance(assignment, ast.Assign)
    assert ast.unparse(assignment.targets[0]) == "(__getattr__, __dir__)"
    assert isinstance(assignment.value, ast.Call)
    package, homes, *_ = assignment.value.args
    assert (ast.unparse(assignment.value.func), ast.unparse(package)) == ("lazy_names", "__name__")
    seen = [
        (each.module, [alias.name for alias in each.names])
        for each in switch.body
        if isinstance(each, ast.ImportFrom)
    ]
    assert [(module, names.split()) for module, names in ast.literal_eval(homes).items()] == seen
    return switch.body


def test_every_logger_is_named_by_its_module() -> None:
    calls = [line for line in _hits(re.compile(r"\bgetLogger\(")) if line.startswith("src/")]
    assert calls
    assert [line for line in calls if "getLogger(__name__)" not in line] == []


def test_nothing_is_left_unfinished() -> None:
    assert _hits(UNFINISHED) == []


def test_no_path_of_one_machine() -> None:
    assert _hits(MACHINE) == []


def test_the_architecture_document_names_every_package() -> None:
    drawn = (ROOT / "ARCHITECTURE.md").read_text()
    packages = [path.parent.name for path in INITS if path.parent.parent == SOURCE]
    assert [package for package in packages if f"{package}/" not in drawn] == []


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _first_line(path: Path) -> str:
    # A docstring is the first token but comments and empty lines: no need to read the rest.
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in (tokenize.ENCODING, tokenize.COMMENT, tokenize.NL):
                break
    text = ast.literal_eval(token.string) if token.type == tokenize.STRING else ""
    return text.strip().partition("\n")[0] if isinstance(text, str) else ""


def _hits(pattern: re.Pattern[str]) -> list[str]:
    texts = ((path, path.read_text()) for path in files())
    return [
        f"{name(path)}:{number}: {line.strip()}"
        for path, text in texts
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
