"""The repository's own files, for tests that read them."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "stockyard"

_FOLDERS = ("src", "tests", "benchmarks", "examples", "docs", "deploy", ".ci")
_MADE = {".venv", "node_modules", "__pycache__", ".peers", "results"}
_BINARY = {".gz", ".pyc", ".png"}


def files(*endings: str) -> Iterator[Path]:
    """Every file that people wrote, those that end so; all of them without an ending."""
    for folder in (ROOT / name for name in _FOLDERS):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _MADE & set(path.parts) and path.suffix not in _BINARY:
                yield from _wanted(path, endings)
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in {".md", ".toml", ""} and not path.name.startswith("."):
            yield from _wanted(path, endings)


def name(path: Path) -> str:
    """The file's path as the repository has it."""
    return str(path.relative_to(ROOT))


def _wanted(path: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    if not endings or path.suffix in endings:
        yield path
