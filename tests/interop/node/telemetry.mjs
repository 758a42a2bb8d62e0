// A telemetry object as bullmq takes it, with the contexts of the W3C: what bullmq-otel is, without its packages.
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

const active = new AsyncLocalStorage();
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

class Span {
  constructor(ended, name, kind, parent) {
    this.ended = ended;
    this.ids = { trace: parent?.trace ?? randomBytes(16).toString("hex"), span: randomBytes(8).toString("hex") };
    this.record = { name, kind, ...this.ids, parent: parent?.span ?? null, attributes: {}, error: null };
  }
  setSpanOnContext(context) {
    return { ...context, ids: this.ids };
  }
  setAttribute(key, value) {
    this.record.attributes[key] = value;
  }
  setAttributes(attributes) {
    Object.assign(this.record.attributes, attributes);
  }
  addEvent() {}
  recordException(error) {
    this.record.error = error.message ?? String(error);
  }
  end() {
    this.ended.push(this.record);
  }
}

/** A telemetry whose spans are pushed onto a list when they end. */
export const telemetry = (ended) => ({
  tracer: {
    startSpan: (name, options, context) => new Span(ended, name, options?.kind, (context ?? active.getStore())?.ids),
  },
  contextManager: {
    with: (context, body) => active.run(context, body),
    active: () => active.getStore() ?? {},
    root: () => ({}),
    getMetadata: (context) => JSON.stringify({ traceparent: `00-${context.ids.trace}-${context.ids.span}-01` }),
    fromMetadata: (context, metadata) => {
      const found = TRACEPARENT.exec(JSON.parse(metadata).traceparent);
      return found ? { ...context, ids: { trace: found[1], span: found[2] } } : context;
    },
  },
});
