"""Each invariant of the report can fail, and figures are what they say."""

from stockyard import QueueHealth
from stockyard.effects import EffectRecord
from stockyard.trading.demo import report
from stockyard.trading.demo.backtest import BacktestResult
from stockyard.trading.demo.exchange import Fill
from stockyard.trading.demo.market import TICKS, history
from stockyard.trading.demo.reconciliation import Reconciliation, book_of
from stockyard.trading.demo.report import Record
from stockyard.trading.demo.strategy import orders_at

SIGNALS = [(order.client_order_id, "FB", str(order.day)) for order in orders_at(history("FB"))]
FILLS = [Fill(f"f-{order}", order, "FB", 100, 10_000) for order, *_ in SIGNALS]
APPLIED = frozenset(fill.fill_id for fill in FILLS)


def test_signals_must_be_complete_and_in_order() -> None:
    assert report.check_signals(["FB"], SIGNALS).ok
    assert not report.check_signals(["FB"], SIGNALS[:-1]).ok
    assert not report.check_signals(["FB"], [SIGNALS[1], SIGNALS[0], *SIGNALS[2:]]).ok


def test_each_signal_must_have_one_order() -> None:
    assert report.check_orders(SIGNALS, FILLS).ok
    assert not report.check_orders(SIGNALS, FILLS[1:]).ok
    assert not report.check_orders(SIGNALS, [*FILLS, Fill("second", FILLS[0].client_order_id, "FB", 100, 1)]).ok
    assert not report.check_orders(SIGNALS, [*FILLS[1:], Fill("f", "unasked", "FB", 100, 1)]).ok
    assert not report.check_orders([], []).ok


def test_each_order_must_be_known_to_be_committed() -> None:
    def effect(order: str, outcome: str = "committed", by: str = "worker") -> EffectRecord:
        return EffectRecord(key=order, queue="q", job_id=order, outcome=outcome, resolved_by=by)

    known = [effect(order) for order, *_ in SIGNALS]
    found = report.check_effects([*known[1:], effect(known[0].key, by="reconciler")], FILLS)
    assert found.ok
    assert (
        f"{len(known)} of {len(known)} committed: {len(known) - 1} by the exchange's answer, 1 by asking"
        in found.found
    )
    assert not report.check_effects(known[1:], FILLS).ok
    assert not report.check_effects([*known[1:], effect(known[0].key, "unknown")], FILLS).ok
    assert not report.check_effects([*known, effect("o", "unknown")], FILLS).ok
    assert not report.check_effects(known, FILLS[1:]).ok


def test_positions_must_be_the_book() -> None:
    book = book_of(FILLS)
    assert report.check_positions(FILLS, book, APPLIED).ok
    assert not report.check_positions(FILLS, book_of([*FILLS, FILLS[0]]), APPLIED).ok
    assert not report.check_positions(FILLS, book, APPLIED - {FILLS[0].fill_id}).ok


def test_candles_and_prices_must_be_all_and_the_last() -> None:
    last = history("FB")[-1]
    assert report.check_candles(["FB"], len(history("FB"))).ok
    assert not report.check_candles(["FB"], len(history("FB")) - 1).ok
    assert report.check_prices(["FB"], {"FB": (last.day, round(last.close * TICKS))}).ok
    assert not report.check_prices(["FB"], {"FB": (last.day, 1)}).ok
    assert not report.check_prices(["FB"], {}).ok


def test_reconciliations_must_have_run_and_agree() -> None:
    assert report.check_reconciliation(Reconciliation(0, ()), 3, 0).ok
    assert not report.check_reconciliation(None, 3, 0).ok
    assert not report.check_reconciliation(Reconciliation(1, ()), 3, 0).ok
    assert not report.check_reconciliation(Reconciliation(0, ()), 3, 1).ok


def test_nothing_may_be_left_in_a_queue() -> None:
    assert report.check_queues([health()], []).ok
    for state in ("waiting", "active", "delayed", "failed"):
        assert not report.check_queues([health(), health(**{state: 1})], ["q 1: lost"]).ok


def test_processes_must_end_in_order_and_hand_back_what_they_held() -> None:
    assert report.check_processes({"a": 0, "b": 0}).ok
    assert not report.check_processes({"a": 0, "b": -9}).ok
    assert report.check_recovery(("b", 1), ("a", 2), 3).ok
    assert not report.check_recovery(("b", 1), ("a", 2), 2).ok


def test_every_backtest_must_have_a_result() -> None:
    result = BacktestResult(5, 30, 1.0, 0.1, 2.0, 0.3, 40)
    assert report.check_backtests([result], 1).ok
    assert not report.check_backtests([result], 2).ok


def test_figures_count_repeats_and_take_waits_of_what_ran_once() -> None:
    records = [record(waited=wait) for wait in range(1, 101)] + [record(starts=3, waited=9_999)]
    figures = report.figures_of(health(completed=101), records)
    assert (figures.processed, figures.retried, figures.wait_p50, figures.wait_p99) == (101, 2, 50, 99)
    assert report.percentile([], 50) == 0


def test_overtaken_counts_who_started_later() -> None:
    others = [record(job_id=f"resent-{at}", started_on=at) for at in range(10)]
    assert report.overtaken([*others, record(job_id="query-0", started_on=3)], "query-", "resent-") == [6]


def health(
    *, waiting: int = 0, active: int = 0, completed: int = 0, failed: int = 0, delayed: int = 0
) -> QueueHealth:
    return QueueHealth("q", waiting, active, completed, failed, delayed)


def record(*, job_id: str = "1", starts: int = 1, started_on: int = 0, waited: int = 0) -> Record:
    return Record(job_id, "job", starts, 0, started_on, waited)
