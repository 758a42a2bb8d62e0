// Adds `jobs` waiting jobs, 500 at a time.
import { args, connection, Queue, range } from "./bench.mjs";

const queue = new Queue("bench", { connection });
for (let start = 0; start < args.jobs; start += 500) {
  const numbers = range(start, Math.min(start + 500, args.jobs));
  await queue.addBulk(numbers.map((i) => ({ name: "noop", data: { i } })));
}
await queue.close();
