// Adds `jobs` jobs at `rate` a second; each carries the moment just before its add.
import { args, connection, now, Queue, sleep } from "./bench.mjs";

const queue = new Queue("bench", { connection });
await queue.waitUntilReady();
const period = 1e9 / args.rate;
const start = now();
const adding = [];
for (let i = 0; i < args.jobs; i += 1) {
  const wait = start + i * period - now();
  if (wait > 0) await sleep(wait / 1e6);
  adding.push(queue.add("probe", { i, sent: now() }));
}
await Promise.all(adding);
await queue.close();
