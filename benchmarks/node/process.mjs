// Processes `jobs` waiting jobs and answers the rate between the first handler's start and the last one's.
import { answer, args, connection, now, Worker } from "./bench.mjs";

let seen = 0;
let first = 0;
let done;
const finished = new Promise((resolve) => (done = resolve));

const worker = new Worker(
  "bench",
  async () => {
    if (seen === 0) first = now();
    seen += 1;
    if (seen === args.jobs) done(now());
  },
  { connection, concurrency: args.concurrency },
);
const last = await finished;
await worker.close();
answer({ rate: (args.jobs - 1) / ((last - first) / 1e9) });
