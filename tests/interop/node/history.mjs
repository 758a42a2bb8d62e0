// A producer or a worker of the real bullmq that writes down what it does, as tests/faults/players.py does.
import { openSync, writeSync } from "node:fs";
import { Queue, UnrecoverableError, Worker } from "bullmq";
import { connection } from "./connection.mjs";

const [role, player, options] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];
const { HISTORY_URL: url, HISTORY_PREFIX: prefix, HISTORY_QUEUE: name, HISTORY_FOLDER: folder } = process.env;
const file = openSync(`${folder}/${player}.diary`, "a");
const write = (what, key, id = "", run = 0, result = "") =>
  writeSync(file, JSON.stringify([Date.now() / 1000, what, key, id, run, result]) + "\n");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const nameOf = (number) => (number % 29 === 7 ? "doomed" : number % 17 === 3 ? "shaky" : "good");

async function produce() {
  const streams = { events: { maxLen: options.events } };
  const queue = new Queue(name, { connection: connection(url), prefix, streams });
  queue.on("error", () => {});
  let over = false;
  process.on("SIGTERM", () => (over = true));
  const adding = new Set();
  const add = async (number) => {
    const key = `${player}-${number}`;
    write("try", key);
    try {
      // Its client sends a call again whose reply was lost: only an id of one's own keeps that from adding twice.
      const opts = { jobId: key, attempts: 3, backoff: 50 };
      write("ack", key, (await queue.add(nameOf(number), { key }, opts)).id);
    } catch {
      write("unsure", key);
    }
  };
  for (let number = 0; !over; number++) {
    const task = add(number);
    adding.add(task);
    task.then(() => adding.delete(task));
    await sleep(1000 / options.rate);
  }
  await Promise.all(adding);
  await queue.close();
}

async function work() {
  const handle = async (job) => {
    const { key } = job.data;
    write("start", key, job.id, job.attemptsStarted);
    await sleep(options.run_ms * (0.5 + Math.random()));
    const result = { good: "completed", doomed: "failed" }[job.name] ?? (job.attemptsMade ? "completed" : "again");
    write("end", key, job.id, job.attemptsStarted, result);
    if (result === "failed") throw new UnrecoverableError("doomed");
    if (result === "again") throw new Error("not at the first attempt");
    return key;
  };
  const worker = new Worker(name, handle, {
    connection: connection(url), prefix, concurrency: options.concurrency,
    lockDuration: options.lease_ms, stalledInterval: options.lease_ms / 2, maxStalledCount: 20,
  });
  worker.on("error", () => {});
  await new Promise((resolve) => process.on("SIGTERM", resolve));
  await worker.close();
}

await (role === "produce" ? produce() : work());
process.exit(0);
