"""Each rule is broken once, and the crash matrix notices: the oracle sees what it is there for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from stockyard._store import effects as store
from stockyard._store.composing import written_out
from stockyard._store.net.server import Server
from stockyard._store.scripts import Script, load
from stockyard.config import Settings
from stockyard.effects import Effect, EffectOutcome, decision, gate, reconciler
from stockyard.effects.decision import Decision, Step
from tests.support.effect_runs import CRASHES, Simulation, broken
from tests.support.paper_venue import Request

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[Server]:
    server = Server(Settings.load(redis_url, dotenv=None).address)
    yield server
    await server.aclose()


def resend_everywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decision, "may_resend", lambda *_: True)


def resend_while_orders_are_open(patch: pytest.MonkeyPatch) -> None:
    may_resend = decision.may_resend
    patch.setattr(
        decision,
        "may_resend",
        lambda record, asked, venue: venue.dedup == "open_orders" or may_resend(record, asked, venue),
    )


def resend_behind_the_window(patch: pytest.MonkeyPatch) -> None:
    may_resend = decision.may_resend
    patch.setattr(
        decision,
        "may_resend",
        lambda record, asked, venue: venue.window_ms > 0 or may_resend(record, asked, venue),
    )


def believe_not_found_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decision, "proves_from", lambda record, _venue: record.deadline)


def count_retries_until_failed(patch: pytest.MonkeyPatch) -> None:
    decide = decision.decide

    def impatient(record: Any, asked: Any, venue: Any, *, is_reconciled: bool) -> Decision:
        made = decide(record, asked, venue, is_reconciled=is_reconciled)
        is_old = record is not None and record.starts + 1 >= 2
        return Decision(Step.BEGIN) if made.step is Step.UNKNOWN and is_old else made

    patch.setattr(gate, "decide", impatient)


def forget_that_it_may_have_been_applied(patch: pytest.MonkeyPatch) -> None:
    script = load("effects.report")
    body = script.body.replace("outcome == 'failed' and applied ~= '1'", "outcome ~= 'committed'")
    assert body != script.body
    broken = Script("effects.report!")
    vars(broken).update({name: getattr(script, name) for name in Script.__annotations__}, body=body)
    # Composed here: what is kept on the disk is what the files say.
    vars(broken)["text"] = written_out(broken.source)
    patch.setattr(store, "_REPORT", broken)


def sign_with_the_time_of_sending(patch: pytest.MonkeyPatch) -> None:
    def send(self: Simulation, effect: Effect) -> Request:
        return self.venue.send(effect.key, now=self.now, deadline=self.now + 60_000)

    patch.setattr(Simulation, "send", send)


def commit_what_is_not_found(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconciler, "judge", lambda *_, **__: EffectOutcome.COMMITTED)


@pytest.mark.parametrize(
    ("break_rule", "rule", "verify"),
    [
        (resend_everywhere, "never", False),
        (resend_while_orders_are_open, "open_orders", False),
        (resend_behind_the_window, "window", False),
        (believe_not_found_at_once, "open_orders", True),
        (count_retries_until_failed, "never", False),
        (forget_that_it_may_have_been_applied, "forever", False),
        (sign_with_the_time_of_sending, "never", True),
        (commit_what_is_not_found, "never", True),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
async def test_a_broken_rule_is_noticed(
    server: Server,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    break_rule: Break,
    rule: str,
    verify: bool,
) -> None:
    break_rule(monkeypatch)
    for crash in CRASHES:
        for first in range(0, 100, 25):
            played = await asyncio.gather(
                *(
                    Simulation(server, f"{prefix}-{crash}", rule=rule, verify=verify, seed=seed).play(crash)
                    for seed in range(first, first + 25)
                )
            )
            if any(broken(record, orders) for record, orders in played):
                return
    raise AssertionError("nothing was noticed")
