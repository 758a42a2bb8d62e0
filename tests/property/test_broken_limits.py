"""Each rule of a limit is broken once, and the model notices: it sees what it is there for."""

import hashlib
import random
import secrets

import pytest

from stockyard._store.composed_script import ComposedScript
from stockyard._store.composing import written_out
from stockyard._store.limits import limiting
from stockyard._store.net.server import Server
from stockyard._store.scripts import load
from stockyard.config import Settings
from stockyard.model.naming import Naming
from tests.property.limit_models import RESERVE, compare, fresh
from tests.scripts.exchange import Exchange

IN_WINDOW = "local window = math.floor(now / limit.span)"
IS_OVER = "used_of(limit, state, now) + limit.cost > allowed(limit, plan, state.lanes)"
BREAKS = {
    "windows begin anywhere": ("fixed", IN_WINDOW, "local window = math.floor((now + 3000000) / limit.span)"),
    "a window admits one more": ("fixed", IS_OVER, IS_OVER.replace("limit.cost", "limit.cost - 1")),
    "a call waits for a whole window": ("fixed", "(state.window + 1) * limit.span - now", "limit.span"),
    "any lane uses a reserve": ("fixed", "if lane ~= plan.lane then", "if lane == '' then"),
    "uses leave early": ("rolling", "rows[first] + limit.span <= now", "rows[first] + limit.span * 0.9 <= now"),
    "a call waits for all uses": ("rolling", "then return rows[at] + limit.span - now", "then return limit.span"),
    "a reserve that is used is kept once more": (
        "rolling",
        "limit.kind ~= 'level' and lanes and lanes[lane] or 0",
        "0",
    ),
    "a level sinks too fast": ("decay", "limit.rate * math.max(0, now - since)", "2 * (now - since) * limit.rate"),
    "a level sinks again and again": ("decay", "state.at = math.max(since, now)", "state.at = since"),
    "a level is filled from the top": ("bucket", "state.level = state.level + cost", "state.level = cost"),
    "a call waits for an empty level": (
        "bucket",
        "(state.level + limit.cost - allowed(limit, plan) + NEARLY) / limit.rate",
        "state.level / limit.rate",
    ),
    "a gap is shorter": (
        "gap",
        "(state.last or 0) + limit.span - now",
        "(state.last or 0) + limit.span * 0.9 - now",
    ),
    "a call under way is not counted": (
        "inflight",
        "{now + limit.span, cost, plan.lane}",
        "{now, cost, plan.lane}",
    ),
}
LANES = ("", "cancel", "submit")


@pytest.mark.parametrize("name", BREAKS)
async def test_a_broken_rule_is_noticed(redis_url: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    kind, rule, broken = BREAKS[name]
    script = load("limiting.take")
    source = script.source.replace(rule, broken)
    assert source != script.source
    text = written_out(source)
    sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(limiting, "_TAKE", ComposedScript(sha, text, script.keys, script.reads_only))
    chance = random.Random(name)
    server = Server(Settings.load(redis_url, dotenv=None).address)
    try:
        for _ in range(50):
            limit, model = fresh(kind)
            calls = [(chance.randint(0, 60), chance.randint(1, 5), chance.choice(LANES)) for _ in range(40)]
            exchange = Exchange(server, Naming(f"p:{secrets.token_hex(4)}"), limit, reserve=RESERVE)
            try:
                await compare(exchange, kind, model, calls)
            except AssertionError:
                return
            finally:
                await exchange.clear("x")
    finally:
        await server.aclose()
    raise AssertionError("nothing was noticed")
