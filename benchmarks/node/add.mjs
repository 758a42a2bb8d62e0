// Adds `jobs` jobs in groups of `group`, one by one at once ("add") or in bulk ("add_many"), and answers the rate
// and the processor time.
import { answer, args, connection, cpuSeconds, now, payload, Queue, range } from "./bench.mjs";

const queue = new Queue("bench", { connection });

const groups = {
  add: (numbers) => Promise.all(numbers.map((i) => queue.add("noop", payload(i)))),
  add_many: (numbers) => queue.addBulk(numbers.map((i) => ({ name: "noop", data: payload(i) }))),
};

const add = async (jobs) => {
  for (let start = 0; start < jobs; start += args.group) {
    await groups[args.call](range(start, Math.min(start + args.group, jobs)));
  }
};

await add(args.group * 10);
const cpu = cpuSeconds();
const start = now();
await add(args.jobs);
const seconds = (now() - start) / 1e9;
const cpu_seconds = cpuSeconds() - cpu;
await queue.close();
answer({ rate: args.jobs / seconds, cpu_seconds });
