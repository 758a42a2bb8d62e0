// What the Node sides share: their arguments (one JSON object), the installed bullmq, and their answer (one JSON line).
import { createRequire } from "node:module";

export const args = JSON.parse(process.argv[2]);
export const { FlowProducer, Queue, QueueEvents, Worker } = createRequire(`${args.packages}/package.json`)("bullmq");

const { hostname: host, port } = new URL(args.url);
export const connection = { host, port: Number(port) };

// The machine's monotonic clock, the same in every process; its nanoseconds since boot fit a double exactly for 104 days.
export const now = () => Number(process.hrtime.bigint());

export const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

// The payload of job number i, with `size` more characters where the row asks for them.
const text = "x".repeat(args.size ?? 0);
export const payload = args.size ? (i) => ({ i, text }) : (i) => ({ i });

export const answer = (value) => console.log(JSON.stringify(value));

export const range = (start, end) => Array.from({ length: end - start }, (_, k) => start + k);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
