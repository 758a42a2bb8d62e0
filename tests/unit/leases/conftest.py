"""Here the start of the process that renews leases is what is tested."""

import pytest

from stockyard.leases import keeper
from tests.support import renewers


@pytest.fixture(autouse=True)
def started_renewers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start it as the package does."""
    monkeypatch.setattr(keeper, "_start_renewer", renewers.started)
