"""The pages on settings and on the doctor say what the code says."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from stockyard import Settings
from stockyard.config import Address
from stockyard.observe.alerts.default_rules import Thresholds
from stockyard.observe.doctor.checks import Finding, diagnose_cache, diagnose_streams
from tests.support.documents import ROOT
from tests.unit.observe.doctor.test_checks import CACHE_FAULTS, FAULTS, GOOD, look

SETTINGS = (ROOT / "docs" / "configuration.md").read_text()
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
    assert list(sections) == [*(each.check for each in look()), "event streams", "cache server"]
    found = diagnose_streams(GOOD, {"orders": GOOD.maxmemory or 0})
    assert _says(sections["event streams"], found)
    for changed, _ in CACHE_FAULTS:
        found = diagnose_cache(GOOD._replace(**changed), has_budget=False)
        assert _says(DOCTOR if found.is_hidden else sections["cache server"], found), found
    for changed, *_ in FAULTS:
        found = look(**changed)[0]
        place = DOCTOR if found.is_hidden else sections[found.check]
        assert _says(place, found), found


def _says(text: str, found: Finding) -> bool:
    plain = " ".join(text.split())
    return found.danger in plain and found.remedy in plain
