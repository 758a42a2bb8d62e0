// Adds three fills to portfolio:high_priority, waits for what the Python worker makes of them, and prints it.
import { Queue, QueueEvents } from "bullmq";
import { connection } from "./connection.mjs";

// portfolio:high_priority, spelled as Node must: everything up to the last colon belongs to the prefix.
const options = { connection, prefix: "bull:portfolio" };
const queue = new Queue("high_priority", options);
// From the oldest event that is kept: QueueEvents is ready before it reads for the first time, and without this it would
// begin behind what a quick worker has done in between, and miss a result.
const events = new QueueEvents("high_priority", { ...options, lastEventId: "0" });
await events.waitUntilReady();

const fills = [
  { symbol: "BTCUSDT", quantity: 0.5, price: 64000 },
  { symbol: "ETHUSDT", quantity: 4, price: 3100 },
  { symbol: "BTCUSDT", quantity: -0.2, price: 65000 },
];
for (const fill of fills) {
  const job = await queue.add("apply-fill", fill, { attempts: 3, backoff: { type: "exponential", delay: 1000 } });
  const position = await job.waitUntilFinished(events, 30_000);
  console.log(`${position.symbol}: ${position.quantity} at ${position.cost}`);
}
await events.close();
await queue.close();
