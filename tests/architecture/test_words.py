"""Texts and names use the field's words; private words are not found by searching, and cannot be guessed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.repository import ROOT
from tests.support.documents import programs

PRIVATE = re.compile(
    r"\b(tells?|told|telling|whoever|somebody|everybody|anew|so long as|its like|bear being|lets? go|letting go|"
    r"bury|buries|heeds?|heeded|rung|doom|lookout|roster|what is wrong)\b",
    re.I,
)
PRIVATE_PARTS = frozenset(
    """
    tell tells told telling whoever somebody everybody anew heed heeds bury buried rung doom lookout roster
    said terms doorbell verdict postpone postponed pulse vital meter tally spread patience chance sweeper rescuer
    advancer tie tied hole heard survey landed shed gatherer wishes sight
    """.split()
)
"""Words that no name of the package contains."""
PRIVATE_NAMES = frozenset(
    """
    AlertBook AwaitingChildren CacheLink ChannelLink Exchange Gap Ground HandedBack Held Kept Letter Line
    MoveToDelayed MoveToWait QueueLink Row RunMoved ScheduleKeeper Shared Site Taken Ways Watcher
    await_children examine hang_up let_go take_when_rung
    """.split()
)
"""Names that have been replaced by a word of the field, each of whose parts is a good one elsewhere."""
SCRIPTS = sorted((ROOT / "src" / "stockyard" / "_store" / "lua").rglob("*.lua"))
SOURCES = sorted((ROOT / "src" / "stockyard").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))

ELSEWHERE = {"limit.py": {"Gap"}}
"""Private names that are the field's word in one module: exchanges demand a gap between two requests."""

NAMING = [path for path in [*SOURCES, *SCRIPTS] if "trading" not in path.parts]
"""The demo trades: what it calls an order or an exchange is one."""


def sentences(source: str) -> Iterator[tuple[int, str]]:
    """The texts of a program that have more than one word: docstrings, help, messages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for offset, line in enumerate(node.value.splitlines()):
                # The name of an argument before its meaning is code.
                text = re.sub(r"^\s*\w+:(?= )", "", line)
                if " " in text.strip():
                    yield node.lineno + offset, text


def private_words(source: str) -> list[str]:
    return [f"{line}: {text.strip()}" for line, text in sentences(source) if PRIVATE.search(text)]


def private_comments(script: str) -> list[str]:
    """Return the comments of a script that have a private word."""
    comments = [(number, line.partition("--")[2]) for number, line in enumerate(script.splitlines(), 1)]
    return [f"{number}: {comment.strip()}" for number, comment in comments if PRIVATE.search(comment)]


def names(source: str) -> Iterator[tuple[int, str]]:
    """What a program names: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case (
                ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield node.lineno, name


def script_names(source: str) -> Iterator[tuple[int, str]]:
    """What a script names: functions, arguments and variables."""
    for number, line in enumerate(source.splitlines(), 1):
        code = line.partition("--")[0]
        if declared := re.search(r"\blocal (?:function (\w+)\(([^)]*)\)|([\w, ]+))", code):
            for name in re.findall(r"\w+", " ".join(filter(None, declared.groups()))):
                yield number, name


def private_names(path: Path) -> list[str]:
    """Return what a module or a script names by a private word, its own name too."""
    named = (script_names if path.suffix == ".lua" else names)(path.read_text())
    known = ELSEWHERE.get(path.name, set())
    found = [f"{line}: {each}" for line, each in named if is_private(each) and each not in known]
    return [path.stem, *found] if is_private(path.stem) else found


def is_private(name: str) -> bool:
    parts = {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    return name.lstrip("_") in PRIVATE_NAMES or not parts.isdisjoint(PRIVATE_PARTS)


def test_no_module_has_private_words() -> None:
    found = {str(path.relative_to(ROOT)): private_words(path.read_text()) for path in [*SOURCES, *EXAMPLES]}
    assert {module: words for module, words in found.items() if words} == {}


def test_no_script_has_private_words() -> None:
    found = {str(path.relative_to(ROOT)): private_comments(path.read_text()) for path in SCRIPTS}
    assert {script: comments for script, comments in found.items() if comments} == {}


def test_no_module_has_private_names() -> None:
    found = {str(path.relative_to(ROOT)): private_names(path) for path in NAMING}
    assert {module: named for module, named in found.items() if named} == {}


def test_the_readme_has_no_private_words() -> None:
    assert PRIVATE.findall((ROOT / "README.md").read_text()) == []


def test_the_pages_that_teach_have_no_private_words() -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if programs(page)]
    found = {str(page.relative_to(ROOT)): PRIVATE.findall(page.read_text()) for page in pages}
    assert {page: words for page, words in found.items() if words} == {}


def test_private_words_are_found() -> None:
    assert private_words('"""Hooks are told of it."""\nraise E(f"{x} was made anew by {y}")') != []
    assert len(private_words('"""A.\n\n    told: is fine.\n    x: tells of it.\n    """')) == 1


def test_private_names_are_found() -> None:
    source = "class Line:\n    def _tell(self, tie):\n        self._patience = is_told = 1\nclass Timeline: ..."
    found = {name for _, name in names(source) if is_private(name)}
    assert found == {"Line", "_tell", "tie", "_patience", "is_told"}
    script = "local function ring_all(keys, told) -- doom\n  local a, heard = b, c\nend"
    assert [name for _, name in script_names(script) if is_private(name)] == ["told", "heard"]
