"""The pages on settings and on the doctor say what the code says."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from stockyard import Settings
from stockyard._store.jobs.key_use import UnlinedJob
from stockyard.config import Address
from stockyard.config.variables import VARIABLES
from stockyard.errors import ServerUnavailable
from stockyard.model.halt import Halt
from stockyard.observe.alerts.default_rules import Thresholds
from stockyard.observe.doctor.checks import diagnose_cache, diagnose_streams
from stockyard.observe.doctor.finding import Finding, Severity
from stockyard.observe.doctor.halted import diagnose_halts, unread_halts
from stockyard.observe.doctor.key_checks import _beside_its_line, _undeclared
from stockyard.observe.doctor.limit_checks import _unread
from tests.support.documents import ROOT
from tests.unit.observe.doctor.test_checks import CACHE_FAULTS, FAULTS, GOOD, look
from tests.unit.observe.doctor.test_set_checks import SET_FAULTS
from tools.site.lists import variables

MORE = ("keys of …", "limits …", "halts")
GONE = ServerUnavailable("no primary")
OF_MORE = [
    (unread_halts(GONE), "halts"),
    (diagnose_halts([Halt(queues="execution:*", key=None, reason="news", by="ada", since=0)]), "halts"),
    (_unread("binance", GONE), "limits …"),
    (_undeclared("orders"), "keys of …"),
    (_beside_its_line("orders", UnlinedJob("17", "BTCUSDT")), "keys of …"),
]
SETTINGS = (ROOT / "docs" / "reference" / "configuration.md").read_text()
DOCTOR = (ROOT / "docs" / "operations" / "doctor.md").read_text()
ALERTS = {f"STOCKYARD_ALERT_{each.name.upper()}" for each in fields(Thresholds)}
ALERTS |= {f"STOCKYARD_ALERT_{each}" for each in ("WEBHOOK", "APPRISE", "INTERVAL")}
NAME = re.compile(r"\b(?:STOCKYARD|REDIS|CACHE_REDIS|XDG)_[A-Z_]*[A-Z]\b")


def test_every_variable_that_is_read_is_on_the_page_and_no_other() -> None:
    read = {
        name for path in (ROOT / "src").rglob("*.py") for name in re.findall(r'get\("([A-Z_]+)"', path.read_text())
    }
    read -= {"TZ", "PATH_INFO", "REQUEST_METHOD", "HTTP_ACCEPT"}
    assert set(NAME.findall(SETTINGS)) - {"REDIS_URL"} == (read | ALERTS) - {"REDIS_URL"}


@pytest.mark.parametrize("url", re.findall(r"^\| `([a-z+]+://.*?)`", SETTINGS, re.M))
def test_every_url_of_the_page_is_one(url: str) -> None:
    files = url.replace("…", str(Path(__file__)))
    assert isinstance(Settings.load(files, dotenv=None).address, Address)


def test_every_finding_has_its_place_on_the_page() -> None:
    sections = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", DOCTOR, re.M | re.S))
    of_sets = dict.fromkeys(_section(check) for _, check, *_ in SET_FAULTS)
    assert list(sections) == [*(each.check for each in look()), "event streams", *MORE, "cache server", *of_sets]
    for found, section in OF_MORE:
        assert _says(sections[section], found), found
    found = diagnose_streams(GOOD, {"orders": GOOD.maxmemory or 0})
    assert _says(sections["event streams"], found)
    for changed, _ in CACHE_FAULTS:
        found = diagnose_cache(GOOD._replace(**changed), has_budget=False)
        assert _says(DOCTOR if found.is_hidden else sections["cache server"], found), found
    for changed, *_ in FAULTS:
        found = look(**changed)[0]
        place = DOCTOR if found.is_hidden else sections[found.check]
        assert _says(place, found), found
    for findings, *_ in SET_FAULTS:
        (found,) = [each for each in findings if each.severity is not Severity.OK]
        assert _says(DOCTOR if found.is_hidden else sections[_section(found.check)], found), found


def _section(check: str) -> str:
    return "queue …" if check.startswith("queue ") else check


def _says(text: str, found: Finding) -> bool:
    plain = " ".join(text.split())
    return found.danger in plain and found.remedy in plain


def test_the_table_of_variables_is_made_from_the_code() -> None:
    assert variables() in SETTINGS, f"docs/reference/configuration.md needs this table:\n{variables()}"


def test_the_defaults_of_thresholds_are_those_of_the_code() -> None:
    defaults = {each.name: each.default.strip("`") for each in VARIABLES}
    for threshold in fields(Thresholds):
        assert defaults[f"STOCKYARD_ALERT_{threshold.name.upper()}"] == str(threshold.default), threshold.name
