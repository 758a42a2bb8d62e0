// Works `schedules` schedules at 1 s for some seconds; answers runs a second and how late they start.
// The first two seconds, in which the schedules find their rhythm, are not counted.
import { answer, args, connection, Queue, range, sleep, Worker } from "./bench.mjs";

const late = [];
let begin = Infinity;
let end = Infinity;
const queue = new Queue("bench", { connection });
await Promise.all(range(0, args.schedules).map((i) => queue.upsertJobScheduler(`s${i}`, { every: 1000 }, { name: "noop" })));
const worker = new Worker(
  "bench",
  async (job) => {
    const due = Number(job.id.split(":").at(-1));
    if (begin <= due && due < end) late.push(Date.now() - due);
  },
  { connection, concurrency: 100 },
);
await worker.waitUntilReady();
begin = Date.now() + 2000;
end = begin + args.seconds * 1000;
await sleep((2 + args.seconds + 1) * 1000);
await worker.close();
await queue.close();
late.sort((a, b) => a - b);
answer({ rate: late.length / args.seconds, late_p99: late[Math.floor(late.length * 0.99)] });
