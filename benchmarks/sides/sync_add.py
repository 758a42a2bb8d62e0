"""Adds `calls` jobs one by one by blocking calls, in a program without a loop; answers rate and processor time."""

import time

from benchmarks.sides.ground import ARGUMENTS, QUEUE, TOPOLOGY, answer
from stockyard import App

WARM_UP = 500

app = App(TOPOLOGY, redis=ARGUMENTS["url"])
queue, calls = app.queue(QUEUE), ARGUMENTS["calls"]
for n in range(WARM_UP):
    queue.sync.add("noop", {"i": n})
start, cpu = time.perf_counter(), time.process_time()
for n in range(calls):
    queue.sync.add("noop", {"i": n})
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
app.sync.aclose()
answer({"rate": calls / seconds, "cpu_seconds": cpu, "added": WARM_UP + calls})
