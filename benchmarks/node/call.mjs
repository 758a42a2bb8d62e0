// Adds a job and waits for its result, one at a time, and answers how long each took, in milliseconds.
import { answer, args, connection, now, payload, Queue, QueueEvents } from "./bench.mjs";

const queue = new Queue("bench", { connection });
// From the first event on: what ends before it reads for the first time would be waited for in vain.
const events = new QueueEvents("bench", { connection, lastEventId: "0" });
await events.waitUntilReady();
const took = [];
for (let i = 0; i < args.calls; i += 1) {
  const start = now();
  const job = await queue.add("noop", payload(i));
  await job.waitUntilFinished(events, 30_000);
  took.push((now() - start) / 1e6);
}
await events.close();
await queue.close();
answer({ took });
