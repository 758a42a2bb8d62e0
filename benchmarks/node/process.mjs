// Processes `jobs` waiting jobs; answers the rate and its processor time from the first handler's start to the last's.
import { answer, args, connection, cpuSeconds, now, Worker } from "./bench.mjs";

let seen = 0;
let first = 0;
let cpu = 0;
let done;
const finished = new Promise((resolve) => (done = resolve));

const worker = new Worker(
  "bench",
  async () => {
    if (seen === 0) [first, cpu] = [now(), cpuSeconds()];
    seen += 1;
    if (seen === args.jobs) done([now(), cpuSeconds()]);
  },
  { connection, concurrency: args.concurrency },
);
const [last, cpuLast] = await finished;
await worker.close();
answer({ rate: (args.jobs - 1) / ((last - first) / 1e9), cpu_seconds: cpuLast - cpu });
