"""The types of ``.sync`` are those of the asynchronous classes, and what blocks by its type blocks at run time."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import stockyard.blocking
from stockyard._aio.portal import Blocking, Portal
from stockyard.app import App
from stockyard.cache.cache import Cache
from stockyard.cache.caches import Caches
from stockyard.effects import Effects
from stockyard.events import QueueEvents
from stockyard.limits import LimitedCall, OpenLimits
from stockyard.manual import ManualWorker, TakenJob
from stockyard.model.job import Job
from stockyard.produce.flows import Flows
from stockyard.produce.keys import Keys
from stockyard.produce.queue import Queue
from stockyard.pubsub import Consumer, Delivery, OpenChannel, Replay, Subscription
from stockyard.schedule.schedules import Schedules
from tests.architecture.repository import ROOT, SOURCE

READERS = (Consumer, QueueEvents, Replay, Subscription)
LIMITS = (LimitedCall, OpenLimits)
CLASSES: list[type[Any]] = [
    *(App, Cache, Caches, Delivery, Effects, Flows, Job, Keys, OpenChannel, Queue, Schedules),
    *(ManualWorker, TakenJob),
    *LIMITS,
    *READERS,
]
STUB = ast.parse((SOURCE / "blocking.pyi").read_text())


def test_the_stub_is_what_the_classes_say() -> None:
    command = [sys.executable, "tools/blocking_stub.py", "--print"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == (SOURCE / "blocking.pyi").read_text(), "run make stubs"


def test_every_class_with_a_blocking_view_is_there() -> None:
    typed = {node.name for node in STUB.body if isinstance(node, ast.ClassDef)}
    assert typed == {"BlockingView", *(f"Blocking{kind.__name__}" for kind in CLASSES)}
    assert typed == set(stockyard.blocking.__all__)
    views = [
        path
        for path in SOURCE.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip().startswith("def sync(self) -> Blocking")
    ]
    assert len(views) == len(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_public_method_is_typed_as_it_behaves(kind: type[Any]) -> None:
    view: Any = Blocking(Portal(), kind)
    typed = {node.name: node for node in _methods(kind)}
    public = {name for name in dir(kind) if not name.startswith("_")} - {"sync"}
    assert public - set(typed) == set()
    for name, node in typed.items():
        member = inspect.getattr_static(kind, name, None)
        if not inspect.isfunction(member) or name.startswith("__"):
            continue
        assert not inspect.iscoroutinefunction(getattr(view, name))
        arguments = node.args
        said = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        taken = inspect.signature(member).parameters.values()
        assert said == [each.name for each in taken if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_blocks_and_loops_are_typed_where_there_are_any(kind: type[Any]) -> None:
    typed = {node.name for node in _methods(kind)}
    assert ("__enter__" in typed, "__exit__" in typed) == (hasattr(kind, "__aenter__"), hasattr(kind, "__aexit__"))
    assert ("__iter__" in typed) == hasattr(kind, "__anext__")


def test_at_run_time_every_view_is_of_its_type() -> None:
    view = Portal().blocking(object())
    assert isinstance(view, stockyard.blocking.BlockingQueue)
    assert stockyard.blocking.BlockingJob[int] is not None


def _methods(kind: type[Any]) -> Iterator[ast.FunctionDef]:
    for node in STUB.body:
        if isinstance(node, ast.ClassDef) and node.name == f"Blocking{kind.__name__}":
            yield from (each for each in node.body if isinstance(each, ast.FunctionDef))
