"""Findings on servers as they describe themselves."""

from typing import Any

import pytest

from stockyard._store.inspecting import ServerFacts
from stockyard.model.naming import Naming
from stockyard.monitoring import Finding, Severity
from stockyard.observe.doctor.checks import diagnose, diagnose_cache, diagnose_streams
from stockyard.observe.doctor.finding import worst

GOOD = ServerFacts(
    "redis://localhost:6379/0",
    product="redis",
    version="7.2.4",
    policy="noeviction",
    maxmemory=2_000_000_000,
    used_memory=100_000_000,
    evicted=0,
    appendonly=True,
    role="master",
    is_cluster=False,
    clients=10,
    maxclients=10_000,
    skew_ms=3,
    round_trip_ms=0.4,
)

FAULTS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"policy": "allkeys-lru"}, "eviction policy", "danger", "wait lists"),
    ({"policy": "volatile-ttl"}, "eviction policy", "danger", "twice"),
    ({"policy": None}, "eviction policy", "warning", "cannot be judged"),
    ({"version": None}, "version", "warning", "cannot be judged"),
    ({"maxmemory": 0}, "memory", "warning", "operating system"),
    ({"used_memory": 1_700_000_000}, "memory", "warning", "refuses every add"),
    ({"used_memory": 1_950_000_000}, "memory", "danger", "refuses every add"),
    ({"evicted": 7}, "evictions", "danger", "may have been jobs"),
    ({"appendonly": False}, "persistence", "warning", "crash"),
    ({"delayed_fsync": 3}, "persistence", "warning", "loses them"),
    ({"persistence_error": "aof_last_write_status: err"}, "persistence", "danger", "not be on disk"),
    ({"role": "replica"}, "role", "danger", "refuses writes"),
    ({"is_cluster": True}, "cluster", "danger", "slots"),
    ({"is_cluster": None}, "cluster", "warning", "cannot be judged"),
    ({"skew_ms": -900}, "clock", "warning", "clock"),
    ({"skew_ms": 60_000}, "clock", "danger", "clock"),
    ({"clients": 9_000}, "connections", "warning", "turns workers away"),
    ({"round_trip_ms": 80.0}, "round trip", "warning", "waits"),
]


CACHE_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"policy": "allkeys-lru", "maxmemory": 0}, "kills the server"),
    ({"policy": "noeviction"}, "nothing more is remembered"),
    ({"policy": None}, "cannot be judged"),
]


@pytest.mark.parametrize(("changed", "said"), CACHE_FAULTS)
def test_a_server_of_caches_alone_has_to_be_bounded_and_to_make_room(changed: dict[str, Any], said: str) -> None:
    found = diagnose_cache(GOOD._replace(**changed), has_budget=False)
    assert (found.check, found.severity) == ("cache server", Severity.WARNING)
    assert said in found.danger
    assert found.remedy
    assert diagnose_cache(GOOD._replace(**changed), has_budget=True).severity is Severity.OK


def test_a_server_of_caches_alone_may_evict() -> None:
    for policy in ("allkeys-lru", "volatile-lru"):
        found = diagnose_cache(GOOD._replace(policy=policy), has_budget=False)
        assert (found.severity, found.cause) == (Severity.OK, f"{policy} at 1,907 MB")


def look(prefix: str = "bull", **changed: Any) -> list[Finding]:
    return diagnose(GOOD._replace(**changed), naming=Naming(prefix))


def test_a_good_server_has_nothing_but_good_findings() -> None:
    found = look()
    assert worst(found) is Severity.OK
    assert all((each.danger, each.remedy) == ("", "") for each in found)


@pytest.mark.parametrize(("changed", "check", "severity", "said"), FAULTS)
def test_each_fault_is_found_first_with_its_danger_and_its_remedy(
    changed: dict[str, Any], check: str, severity: str, said: str
) -> None:
    first, *others = look(**changed)
    assert (first.check, first.severity) == (check, severity)
    assert said in first.danger
    assert first.remedy
    assert worst(others) is Severity.OK


def test_what_is_hidden_is_a_warning_and_fine_when_the_server_is_trusted() -> None:
    nothing = ServerFacts("redis://localhost:6379/0")
    hidden = [each for each in diagnose(nothing, naming=Naming("bull")) if each.is_hidden]
    assert len(hidden) == 9
    assert all(each.severity is Severity.WARNING for each in hidden)
    assert {each.check for each in hidden if "+info" not in each.remedy} == {"clock"}
    assert all("+time" in each.remedy for each in hidden if each.check == "clock")
    trusted = diagnose(nothing, naming=Naming("bull"), trusts=True)
    assert worst(trusted) is Severity.OK
    assert next(each.cause for each in trusted if each.is_hidden) == (
        "the server hides its version; trusted by STOCKYARD_TRUST_SERVER"
    )


def test_trust_excuses_nothing_that_is_seen() -> None:
    seen = diagnose(GOOD._replace(policy="allkeys-lru"), naming=Naming("bull"), trusts=True)
    assert worst(seen) is Severity.DANGER


@pytest.mark.parametrize(("prefix", "severity"), [("{bull}", "ok"), ("bull{}", "danger"), ("bull", "danger")])
def test_a_cluster_needs_a_hash_tag_in_the_prefix(prefix: str, severity: str) -> None:
    assert worst(look(prefix=prefix, is_cluster=True)) == severity


def test_an_event_stream_that_takes_a_share_of_the_memory_is_found() -> None:
    facts = ServerFacts("redis://x", maxmemory=1_000 * 2**20)
    assert diagnose_streams(facts, {"a": 99 * 2**20, "b": 1}).severity == "ok"
    found = diagnose_streams(facts, {"a": 1, "b": 101 * 2**20})
    assert (found.check, found.severity) == ("event streams", "warning")
    assert "queue 'b' takes 101 MB of 1,000 MB" in found.cause
    assert "set_event_limits" in found.remedy
    assert diagnose_streams(ServerFacts("redis://x", used_memory=2**20), {"a": 2**19}).severity == "ok"
    assert diagnose_streams(facts, {}).severity == "ok"
