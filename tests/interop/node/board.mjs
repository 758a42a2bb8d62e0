// The real Bull Board on a port of its own: given a server, a prefix and queues, it says its address on a line of output.
import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { Queue } from "bullmq";
import express from "express";
import { connection } from "./connection.mjs";

const [url, prefix, ...names] = process.argv.slice(2);
const queues = names.map((displayName) => {
  // Node refuses a colon in a name; all before the last one belongs to its prefix.
  const [name, ...before] = displayName.split(":").reverse();
  const longer = [prefix, ...before.reverse()].join(":");
  return new BullMQAdapter(new Queue(name, { prefix: longer, connection: connection(url) }), { displayName });
});
const serverAdapter = new ExpressAdapter();
createBullBoard({ queues, serverAdapter, options: { uiConfig: { showMetrics: true } } });
const server = express().use("/", serverAdapter.getRouter()).listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
process.stdin.resume().on("end", () => process.exit(0));
