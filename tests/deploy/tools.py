"""Runs the programs that come with Prometheus and Alertmanager."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.prefix) / "bin")])


def checked(tool: str, *arguments: str, text: str = "") -> str:
    """Run promtool or amtool, on a text if there is one; it must be content. Return what it said."""
    path = shutil.which(tool, path=_PLACES)
    if path is None:
        raise RuntimeError(f"no {tool} found: run `make promtool` first")
    done = subprocess.run([path, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
