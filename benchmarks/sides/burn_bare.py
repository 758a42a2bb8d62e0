"""The same work as `burn`, in a bare pool of processes: how far this machine's cores come without a queue."""

import json
import multiprocessing
import sys
import time

from benchmarks.sides.burning import spin

if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    jobs, processes = arguments["jobs"], arguments["processes"]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(spin, [400_000] * 4 * processes, chunksize=1)
        start = time.perf_counter()
        pool.map(spin, [400_000] * jobs, chunksize=1)
        print(json.dumps({"rate": jobs / (time.perf_counter() - start)}), flush=True)
