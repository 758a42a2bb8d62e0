// Works a queue of jobs that need no work, until it is ended.
import { answer, connection, Worker } from "./bench.mjs";

const worker = new Worker("bench", async () => {}, { connection, concurrency: 100 });
await worker.waitUntilReady();
answer({ ready: true });
