"""Every preset is a declaration that names its source."""

import pytest

from stockyard.limits import AgeCost, Limits, presets

PRESETS = {name: each for name, each in vars(presets).items() if isinstance(each, Limits)}


def test_the_exchanges_have_presets() -> None:
    first = {name.partition("-")[0] for name in (each.name for each in PRESETS.values())}
    assert first == {"binance", "bybit", "kraken", "okx", "coinbase", "alpaca", "interactive"}


@pytest.mark.parametrize("limits", PRESETS.values(), ids=PRESETS)
def test_a_preset_names_its_source_and_takes_calls(limits: Limits) -> None:
    assert limits.source.startswith("https://")
    names = {name for each in limits.limits for name in each.scope} | {limits.freeze_scope} - {""}
    plan = limits.plan({each.name: 1 for each in limits.limits}, dict.fromkeys(names, "v"))
    assert len(plan.uses) == len(limits.limits)


def test_names_of_presets_differ() -> None:
    assert len({each.name for each in PRESETS.values()}) == len(PRESETS)


def test_kraken_s_costs_by_age() -> None:
    def costs(by_age: AgeCost) -> list[float]:
        return [by_age.at(age) for age in (1, 6, 12, 20, 60, 100, 300)]

    assert costs(presets.KRAKEN_CANCEL) == [8, 6, 5, 4, 2, 1, 0]
    assert costs(presets.KRAKEN_AMEND) == [4, 3, 2, 1, 1, 1, 1]
    assert costs(presets.KRAKEN_EDIT) == [7, 6, 5, 3, 2, 1, 1]
