"""Channels: live messages to one reader, and durable ones kept and acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.bench import Bench
from benchmarks.environments import REDIS
from benchmarks.processes import Side
from benchmarks.rounds import Figures, Turn
from benchmarks.table import Row

LIVE, KEPT, CONCURRENCY = 500_000, 100_000, 100
COMPARED, GROUP = 200_000, 200


def channels(bench: Bench) -> list[Row]:
    """From one publisher to one reader, each a process of its own; then a durable channel, filled and consumed."""

    def live() -> Mapping[str, float]:
        messages = bench.jobs(LIVE)
        with bench.ours("channel", what="subscribe", messages=messages) as reading:
            reading.answer()
            with bench.ours("channel", what="publish", messages=messages) as publishing:
                answer = reading.answer()
                publishing.end()
        if answer["missed"]:
            raise AssertionError(f"{answer['missed']} messages were missed")
        return answer

    def kept() -> Mapping[str, float]:
        messages = bench.jobs(KEPT)
        with bench.ours("channel", what="publish", durable=True, messages=messages) as publishing:
            published = publishing.answer()["rate"]
        with bench.ours("channel", what="consume", messages=messages, concurrency=CONCURRENCY) as consuming:
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


def live_channel(bench: Bench) -> list[Row]:
    """Publishing 200 at a time and reading in another process, against redis-py with pipelines of 200."""
    messages = bench.jobs(COMPARED)
    environment = {"BENCH_JOBS": str(messages), "BENCH_GROUP": str(GROUP)}

    def turn(run: Callable[[str], Side]) -> Turn:
        def measured() -> Mapping[str, float]:
            with run("subscribe") as reading:
                reading.answer()
                with run("publish") as publishing:
                    read = reading.answer()
                    published = publishing.answer()
            if read["missed"]:
                raise AssertionError(f"{read['missed']} messages were missed")
            return {"published": published["rate"], "read": read["rate"]}

        return measured

    sides = {"ours": turn(lambda what: bench.ours("channel", what=what, messages=messages, group=GROUP))}
    if bench.versus:
        sides["redis"] = turn(lambda verb: bench.python(REDIS, verb, environment))
    seen = bench.alternate(sides)
    rows = []
    for figure, what in (("published", f"publish, {GROUP} at a time"), ("read", "read")):
        named, ours = f"live channel, {what}", seen["ours"][figure]
        if bench.versus:
            peer_name = f"redis-py, pipelines of {GROUP}"
            rows.append(Row(named, "messages/s", ours, seen["redis"][figure], peer_name, ">= 1.3"))
        else:
            rows.append(Row(named, "messages/s", ours))
    return rows
