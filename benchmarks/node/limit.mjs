// Works a queue limited to `limit` jobs a second for some windows, and answers the rate that came of it.
import { answer, args, connection, now, Queue, Worker } from "./bench.mjs";

// The first job of a window and that of the tenth after it: ten windows lie between the two.
const jobs = args.limit * args.windows;
let seen = 0;
let first = 0;
let done;
const finished = new Promise((resolve) => (done = resolve));

const queue = new Queue("bench", { connection });
await queue.setGlobalRateLimit(args.limit, 1000);
const worker = new Worker(
  "bench",
  async () => {
    if (seen === 0) first = now();
    seen += 1;
    if (seen === jobs + 1) done(now());
  },
  { connection, concurrency: 100 },
);
const last = await finished;
await worker.close();
await queue.close();
answer({ rate: jobs / ((last - first) / 1e9) });
