"""The names and statements of the tables."""

import subprocess
import sys

import pytest

from stockyard import InvalidOption, Topology
from stockyard.outbox import Outbox


@pytest.mark.parametrize("name", ["", "Orders", "a.b.c", "a b", "1a", "x" * 41, "a;b", None])
def test_a_name_that_cannot_be_a_table_s_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption, match="table"):
        Outbox(Topology("shop"), name)


def test_a_schema_is_part_of_the_statements() -> None:
    ddl = Outbox(Topology("shop"), "app.jobs").ddl("postgresql")
    assert "CREATE TABLE IF NOT EXISTS app.jobs (" in ddl
    assert "CREATE TABLE IF NOT EXISTS app.jobs_relay (" in ddl
    assert "CREATE INDEX IF NOT EXISTS jobs_pending ON app.jobs (sequence) WHERE" in ddl


def test_a_channel_s_name_is_no_longer_than_postgresql_takes() -> None:
    assert len(Outbox(Topology("shop"), f"{'s' * 40}.{'t' * 40}").channel) == 63


def test_without_the_extra_it_is_said_what_to_install() -> None:
    program = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "import stockyard.outbox\n"
        "try: stockyard.outbox.Outbox\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "stockyard.outbox needs the extra: pip install 'stockyard[outbox]'\n"
