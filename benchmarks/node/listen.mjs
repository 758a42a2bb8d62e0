// Answers, once `jobs` probes have come, when each was sent and how long it took to reach the handler's first line.
import { answer, args, connection, now, Worker } from "./bench.mjs";

const probes = [];
let done;
const finished = new Promise((resolve) => (done = resolve));

const worker = new Worker(
  "bench",
  async (job) => {
    probes.push([job.data.sent, now() - job.data.sent]);
    if (probes.length === args.jobs) done();
  },
  { connection, concurrency: args.concurrency },
);
await worker.waitUntilReady();
answer({ ready: true });
await finished;
await worker.close();
answer({ probes });
