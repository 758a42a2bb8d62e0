"""Public names are imported when they are first used; a process loads no module that it does not need."""

import subprocess
import sys
from types import ModuleType

import pytest

import stockyard
import stockyard.cache
import stockyard.pubsub


def modules_after(statement: str) -> set[str]:
    """Run a statement in a new interpreter; return the modules that it loaded.

    Other packages of the environment may load some at the start of each process.
    """
    program = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_package_alone_loads_nothing() -> None:
    loaded = modules_after("import stockyard")
    assert {each for each in loaded if each.startswith("stockyard")} == {"stockyard", "stockyard._lazy"}
    assert not loaded & {"asyncio", "msgspec", "prometheus_client", "ssl"}


def test_an_error_loads_no_app() -> None:
    loaded = modules_after("from stockyard import RateLimited")
    assert "stockyard.errors" in loaded
    assert not {each for each in loaded if each.startswith(("stockyard.app", "stockyard._store", "asyncio"))}


def test_the_process_that_renews_leases_loads_what_it_uses() -> None:
    loaded = modules_after("import stockyard.leases.renewer_process")
    assert not {
        each
        for each in loaded
        if each.startswith(("stockyard.app", "stockyard.cache", "stockyard.consume", "prometheus_client"))
    }
    assert not loaded & {"asyncio", "concurrent.futures", "msgspec", "pathlib", "ssl", "subprocess"}
    assert not loaded & {"dataclasses", "datetime", "hashlib", "inspect", "logging", "random", "urllib.parse"}
    assert not loaded & {"stockyard._store.composing", "stockyard._store.scripts", "stockyard.config.settings"}


def test_an_app_that_only_adds_loads_neither_workers_nor_alerts() -> None:
    loaded = modules_after("from stockyard import App, Topology\ntopology = Topology('t')\nApp(topology)")
    unused = (
        "cache.caches",
        "consume",
        "effects",
        "embedded",
        "limits",
        "observe",
        "produce.flows",
        "pubsub",
        "schedule",
    )
    assert not {each for each in loaded if each.startswith(tuple(f"stockyard.{part}" for part in unused))}
    assert not loaded & {"dotenv", "http.client", "multiprocessing", "prometheus_client", "redis", "smtplib"}
    assert not loaded & {"stockyard.model.limit", "stockyard.model.limits"}
    assert not loaded & {"cronsim", "difflib", "importlib.resources", "zipfile", "zoneinfo"}


def test_no_import_composes_a_script() -> None:
    modules_after(
        "from stockyard import App\nimport stockyard.consume.worker\n"
        "from stockyard._store.composing import parts\nassert parts.cache_info().misses == 0"
    )


def test_a_worker_loads_neither_child_processes_nor_metrics_nor_alerts() -> None:
    loaded = modules_after(
        "import stockyard.consume.worker, stockyard.observe.app_monitor, stockyard.observe.doctor.preflight"
    )
    unused = ("limits", "observe.alerts", "observe.health")
    assert not {each for each in loaded if each.startswith(tuple(f"stockyard.{part}" for part in unused))}
    assert not loaded & {"stockyard.model.limit", "stockyard.model.limits"}
    assert not loaded & {"http.client", "multiprocessing", "prometheus_client", "smtplib", "wsgiref"}


def test_all_names_come_with_a_star() -> None:
    loaded = modules_after(
        "from stockyard import *\nassert (App.__name__, JobError.__name__) == ('App', 'JobError')"
    )
    assert "stockyard.app.app" in loaded


def test_modules_of_a_topic_are_found_from_the_package() -> None:
    assert "stockyard.events" in modules_after("import stockyard\nstockyard.events.CompletedEvent")


@pytest.mark.parametrize("package", [stockyard, stockyard.cache, stockyard.pubsub])
def test_an_unknown_name_is_an_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing_like_it'"):
        _ = package.nothing_like_it


@pytest.mark.parametrize("package", [stockyard, stockyard.cache, stockyard.pubsub])
def test_every_name_is_listed_and_found(package: ModuleType) -> None:
    names: list[str] = package.__all__
    assert set(names) <= set(dir(package))
    assert [name for name in names if getattr(package, name, None) is None] == []


def test_a_worker_that_is_freed_imports_nothing() -> None:
    """It is freed at any moment, in any thread, perhaps amid another import."""
    program = """
import gc, sys
from stockyard import App, Topology
topology = Topology("freed")
topology.queue("q")
app = App(topology, redis="redis://127.0.0.1:1")
async def handle(job): ...
worker = app.worker("q", handle)
worker.metrics.of("x").completed = 3
before = set(sys.modules)
del worker
gc.collect()
assert set(sys.modules) == before, set(sys.modules) - before
assert app.monitor._others["q"].of("x").completed == 3
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
