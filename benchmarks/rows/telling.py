"""Channels: live messages to one reader, and durable ones kept and acknowledged."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.bench import Bench
from benchmarks.rounds import Figures
from benchmarks.table import Row

LIVE, KEPT, CONCURRENCY = 500_000, 100_000, 100


def channels(bench: Bench) -> list[Row]:
    """From one publisher to one reader, each a process of its own; then a durable channel, filled and consumed."""

    def live() -> Mapping[str, float]:
        messages = bench.jobs(LIVE)
        with bench.ours("tell", what="subscribe", messages=messages) as reading:
            reading.answer()
            with bench.ours("tell", what="publish", messages=messages) as publishing:
                answer = reading.answer()
                publishing.end()
        if answer["missed"]:
            raise AssertionError(f"{answer['missed']} messages were missed")
        return answer

    def kept() -> Mapping[str, float]:
        messages = bench.jobs(KEPT)
        with bench.ours("tell", what="publish", durable=True, messages=messages) as publishing:
            published = publishing.answer()["rate"]
        with bench.ours("tell", what="consume", messages=messages, concurrency=CONCURRENCY) as consuming:
            return {"published": published, "consumed": consuming.answer()["rate"]}

    seen = bench.alternate({"live": live, "kept": kept})
    required = Figures((100_000.0,) * bench.rounds)
    return [
        Row("channel, live, one reader", "messages/s", seen["live"]["rate"], required, "100,000", ">= 1.0"),
        Row("channel, durable, publish_many of 1,000", "messages/s", seen["kept"]["published"]),
        Row(
            f"channel, durable, handled and acknowledged, {CONCURRENCY} at a time",
            "messages/s",
            seen["kept"]["consumed"],
        ),
    ]
