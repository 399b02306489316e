// The main loop of an application under a real library: one case asked for, one trace made.
//
// The cases come as lines on stdin; the answer is a line of JSON with what the case has exported,
// as `libraries/cases.py` has it for Python. Where to export to is in the environment.

"use strict";

const { createInterface } = require("node:readline");

const { trace } = require("@opentelemetry/api");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

const ended = new Map();
const tally = {
  onStart() {},
  onEnd(span) {
    const id = span.spanContext().traceId;
    ended.set(id, (ended.get(id) ?? 0) + 1);
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

// The global provider.
function exporting() {
  const spanProcessors = [tally, new BatchSpanProcessor(new OTLPTraceExporter())];
  const provider = new NodeTracerProvider({ spanProcessors });
  provider.register();
  return provider;
}

// Run what is asked for until stdin ends.
async function serve(provider, cases) {
  const tracer = trace.getTracer("app");
  for await (const name of createInterface({ input: process.stdin })) {
    ended.clear();
    await tracer.startActiveSpan(name, async (span) => {
      try {
        await cases[name]();
      } finally {
        span.end();
      }
    });
    await provider.forceFlush();
    console.log(JSON.stringify(Object.fromEntries(ended)));
  }
  await provider.shutdown();
}

module.exports = { exporting, serve };
