// The real Bull Board on a port of its own: given a server and queues, it says its address on a line of output, and then
// shows the queues of each prefix that a line of input names.
import { createInterface } from "node:readline";
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { Queue } from "bullmq";
import express from "express";
import { connection } from "./connection.mjs";

const [url, ...names] = process.argv.slice(2);
const serverAdapter = new ExpressAdapter();
const board = createBullBoard({ queues: [], serverAdapter, options: { uiConfig: { showMetrics: true } } });
let queues = [];

async function show(prefix) {
  const before = queues;
  queues = [];
  const shown = names.map((displayName) => {
    // Node refuses a colon in a name; all before the last one belongs to its prefix.
    const [name, ...first] = displayName.split(":").reverse();
    const longer = [prefix, ...first.reverse()].join(":");
    const queue = new Queue(name, { prefix: longer, connection: connection(url) });
    queues.push(queue);
    return new BullMQAdapter(queue, { displayName });
  });
  board.replaceQueues(shown);
  await Promise.all(before.map((queue) => queue.close()));
}

const server = express().use("/", serverAdapter.getRouter()).listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
for await (const prefix of createInterface({ input: process.stdin })) {
  await show(prefix);
  console.log(prefix);
}
process.exit(0);
