// Works off orders that a Python service adds to execution:order_submission; ends by SIGTERM or Ctrl-C.
import { Worker } from "bullmq";
import { connection } from "./connection.mjs";

const submit = async (job) => {
  await job.log(`sending ${job.data.side} ${job.data.quantity} ${job.data.symbol}`);
  return { status: "accepted", venue: "node-exchange", order: job.data.client_order_id };
};

// The queue's rate limit is a worker's option in BullMQ: 10 orders a second, shared by all workers that say so.
const worker = new Worker("order_submission", submit, {
  connection,
  prefix: "bull:execution",
  name: "node",
  concurrency: 5,
  limiter: { max: 10, duration: 1000 },
});
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => worker.close());
