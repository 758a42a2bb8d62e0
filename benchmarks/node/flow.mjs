// Adds `flows` trees of one parent and `children` children, `group` at a time, and answers trees a second.
import { answer, args, connection, FlowProducer, now, range } from "./bench.mjs";

const tree = (i) => ({
  name: "noop",
  queueName: "bench",
  data: { i },
  children: range(0, args.children).map((child) => ({ name: "noop", queueName: "bench", data: { i: child } })),
});

const producer = new FlowProducer({ connection });
const started = now();
for (let first = 0; first < args.flows; first += args.group) {
  await producer.addBulk(range(first, Math.min(first + args.group, args.flows)).map(tree));
}
const rate = args.flows / ((now() - started) / 1e9);
await producer.close();
answer({ rate });
