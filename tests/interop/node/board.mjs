// The real Bull Board on a port of its own, for the queues of its arguments; the first line of output is its address.
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { Queue } from "bullmq";
import express from "express";
import { connection } from "./connection.mjs";

const [url, ...queues] = process.argv.slice(2);
const adapters = queues.map((each) => {
  // Node refuses a colon in a name; all before the last one goes into the prefix.
  const at = each.lastIndexOf(":");
  const queue = new Queue(each.slice(at + 1), { prefix: each.slice(0, at), connection: connection(url) });
  return new BullMQAdapter(queue, { displayName: each.split(":").slice(1).join(":") });
});
const serverAdapter = new ExpressAdapter();
createBullBoard({ queues: adapters, serverAdapter });
const server = express().use("/", serverAdapter.getRouter()).listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
process.stdin.resume().on("end", () => process.exit(0));
