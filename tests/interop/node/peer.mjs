// The real bullmq in a process that tests drive: a JSON request on each line of input, a JSON answer on each line of output.
import { createInterface } from "node:readline";
import { connection } from "./connection.mjs";
import { telemetry } from "./telemetry.mjs";

const bullmq = await import(process.argv[2] ?? "bullmq");
const { Job, UnrecoverableError } = bullmq;
const objects = new Map();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What jobs of each name do; the tests' own handlers do the same in Python. */
const handlers = {
  echo: async (job) => job.data,
  nothing: async () => undefined,
  slow: async (job) => sleep(job.data.ms),
  hang: async () => new Promise(() => {}),
  fail: async (job) => {
    throw new Error(job.data.reason);
  },
  fail_for_good: async (job) => {
    throw new UnrecoverableError(job.data.reason);
  },
  fail_first: async (job) => {
    if (job.attemptsMade < job.data.times) throw new Error(`try ${job.attemptsMade + 1}`);
    return job.attemptsMade + 1;
  },
  report: async (job) => {
    for (const value of job.data.progress) await job.updateProgress(value);
    for (const line of job.data.lines) await job.log(line);
  },
  gather: async (job) => job.getChildrenValues(),
  delay_once: async (job, token) => {
    if (job.data.step) return job.attemptsStarted;
    await job.updateData({ ...job.data, step: 1 });
    await job.moveToDelayed(Date.now() + job.data.ms, token);
    throw new bullmq.DelayedError();
  },
  wait_once: async (job, token) => {
    if (job.data.step) return job.attemptsStarted;
    await job.updateData({ ...job.data, step: 1 });
    await job.moveToWait(token);
    throw new bullmq.WaitingError();
  },
  limit_once: async (job, token, worker) => {
    if (job.data.step) return job.attemptsStarted;
    await job.updateData({ ...job.data, step: 1 });
    await worker.rateLimit(job.data.ms);
    throw bullmq.Worker.RateLimitError();
  },
  await_children: async (job, token) => {
    if (await job.moveToWaitingChildren(token)) throw new bullmq.WaitingChildrenError();
    return Object.values(await job.getChildrenValues()).sort();
  },
};

/** The function that a piece of source is; it may use `bullmq` and `sleep`. */
const compile = (source) => new Function("bullmq", "sleep", `return (${source});`)(bullmq, sleep);

/** An object whose errors and events are kept, to be read by `read`. */
async function make({ handle, kind, args, url, options, handler }) {
  const kept = { errors: [], events: [], started: [], ended: [], spans: [] };
  const own = connection(url);
  const all = { connection: own, ...options };
  if (all.telemetry) all.telemetry = telemetry(kept.spans);
  let object;
  if (kind === "Worker") {
    const given = handler && compile(handler);
    const run = async (job, token) => {
      kept.started.push(plain(job));
      if (given) return given(job, token, object);
      if (!handlers[job.name]) throw new UnrecoverableError(`no handler ${job.name}`);
      return handlers[job.name](job, token, object);
    };
    object = new bullmq.Worker(args[0], run, all);
    object.on("completed", (job) => kept.ended.push([job.id, "completed"]));
    object.on("failed", (job, error) => kept.ended.push([job?.id, error.message]));
  } else {
    object = new bullmq[kind](...args, all);
  }
  if (kind === "QueueEvents") {
    const emit = object.emit.bind(object);
    object.emit = (name, ...rest) => {
      if (name !== "error" && !name.includes(":")) kept.events.push([name, typeof rest[0] === "object" ? rest[0] : {}]);
      return emit(name, ...rest);
    };
  }
  object.on?.("error", (error) => kept.errors.push(error.message));
  objects.set(handle, { object, kept, own });
  await object.waitUntilReady?.();
}

/** A value as JSON can carry it: jobs by their fields, undefined as null. */
function plain(value) {
  if (value instanceof Job) {
    const { id, name, data, opts, timestamp, delay, priority, progress, returnvalue, failedReason } = value;
    const { stacktrace, attemptsMade, attemptsStarted, stalledCounter, processedOn, finishedOn, processedBy } = value;
    const { parentKey, deduplicationId, deferredFailure } = value;
    return {
      id, name, data, opts, timestamp, delay, priority, progress, returnvalue, failedReason,
      stacktrace, attemptsMade, attemptsStarted, stalledCounter, processedOn, finishedOn, processedBy,
      parentKey, deduplicationId, deferredFailure,
    };
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value?.job instanceof Job) return { job: plain(value.job), children: plain(value.children ?? []) };
  if (typeof value !== "object" || value === null) return value ?? null;
  return value;
}

const arguments_ = (args) => args.map((each) => (each?.$object ? objects.get(each.$object).object : each));

const operations = {
  make,
  call: ({ on, method, args }) => objects.get(on).object[method](...arguments_(args)),
  job: async ({ on, id, method, args }) => {
    const job = await Job.fromId(objects.get(on).object, id);
    if (!job) throw new Error(`no job ${id}`);
    return job[method](...arguments_(args));
  },
  run: ({ on, source, args }) => compile(source)(objects.get(on).object, ...arguments_(args)),
  read: ({ on, what }) => objects.get(on).kept[what],
  close: async ({ on }) => {
    const { object, own } = objects.get(on);
    objects.delete(on);
    await object.close(object instanceof bullmq.Worker);
    // A client that it was given, as for a cluster, it leaves open.
    own.disconnect?.();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { number, operation, ...request } = JSON.parse(line);
  // Requests are answered as they end, so that one that waits does not hold up the others.
  Promise.resolve()
    .then(() => operations[operation](request))
    .then((value) => JSON.stringify({ number, value: plain(value) }))
    .catch((error) => JSON.stringify({ number, error: `${error.name}: ${error.message}` }))
    .then((answer) => process.stdout.write(answer + "\n"));
}
process.exit(0);
