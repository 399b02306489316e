// An application with Vercel's AI SDK and its own telemetry, the same for every major release.
//
// It does the cases whose names it reads, one a line. A case is a trace, and is answered with the
// trace's id and how many spans of it were exported. Base URLs, keys and the OTLP endpoint come
// from the environment, as in production.

import { createInterface } from "node:readline";

import * as ai from "ai";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { z } from "zod";

const SYSTEM = "You answer with care. ".repeat(100);
const OBJECTS = "You answer with objects. ".repeat(100);
const QUESTION = "What is six times seven?";
const CACHED = { providerOptions: { anthropic: { cacheControl: { type: "ephemeral" } } } };

// One by one a trace arrives from its leaves up, each span in a request of its own.
const Processor = process.env.APP_ONE_BY_ONE ? SimpleSpanProcessor : BatchSpanProcessor;
const ended = new Map();
const counter = {
  onStart() {},
  onEnd(span) {
    const id = span.spanContext().traceId;
    ended.set(id, (ended.get(id) ?? 0) + 1);
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};
const provider = new NodeTracerProvider({
  spanProcessors: [counter, new Processor(new OTLPTraceExporter())],
});
provider.register();
const tracer = trace.getTracer("app");

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const anthropic = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });
const GPT = openai.chat("gpt-5");
const MINI = openai.chat("gpt-5-mini");
const RESPONSES = openai.responses("gpt-5");
const HAIKU = anthropic("claude-haiku-4-5");
const EMBED = openai.embeddingModel?.("text-embedding-3-small")
  ?? openai.textEmbeddingModel("text-embedding-3-small");

// 7 registers what earlier releases are told with every call.
const registered = "registerTelemetry" in ai;
if (registered) {
  const { OpenTelemetry, LegacyOpenTelemetry } = await import("@ai-sdk/otel");
  const more = process.env.APP_ALL ? { usage: true, providerMetadata: true } : {};
  const integration = process.env.APP_LEGACY ? new LegacyOpenTelemetry() : new OpenTelemetry(more);
  ai.registerTelemetry(integration);
}

function told(functionId) {
  const metadata = { userId: "u-1", sessionId: "s-1", team: "search" };
  return registered
    ? { telemetry: { functionId } }
    : { experimental_telemetry: { isEnabled: true, functionId, metadata } };
}

// Read from the prompt's cache, where the provider has one and was asked to.
function prompt(cached, text = SYSTEM) {
  const system = { role: "system", content: text, ...(cached ? CACHED : {}) };
  return { messages: [system, { role: "user", content: QUESTION }], allowSystemInMessages: true };
}

const calculate = ai.tool({
  description: "calculates",
  inputSchema: z.object({ question: z.string() }),
  execute: async () => "42",
});

async function generate(model, cached = false, more = {}) {
  await ai.generateText({ model, ...prompt(cached), ...told("answerer"), ...more });
}

async function stream(model, cached = false, more = {}) {
  const answer = ai.streamText({ model, ...prompt(cached), ...told("answerer"), ...more });
  await answer.consumeStream();
}

function loop(id) {
  return { tools: { calculate }, stopWhen: ai.stepCountIs(3), ...told(id) };
}

async function refused(call) {
  try {
    await call();
  } catch {
    return;
  }
  throw new Error("this call was to fail");
}

function notAnObject(error) {
  if (!ai.NoObjectGeneratedError.isInstance(error)) throw error;
}

const CASES = {
  async openai() {
    await generate(MINI);
    await generate(GPT);
    await generate(RESPONSES);
  },
  async streamed() {
    await stream(MINI);
    await stream(GPT);
    await stream(RESPONSES);
  },
  async anthropic() {
    await generate(HAIKU, true);
    await generate(HAIKU, true);
    await stream(HAIKU, true);
    await generate(HAIKU);
  },
  async embeddings() {
    await ai.embed({ model: EMBED, value: QUESTION, ...told("embedder") });
    await ai.embedMany({ model: EMBED, values: [QUESTION, SYSTEM], ...told("embedder") });
  },
  async tools() {
    await stream(GPT, false, loop("researcher"));
    await stream(RESPONSES, false, loop("researcher"));
    await generate(HAIKU, true, loop("checker"));
    await stream(HAIKU, true, loop("checker"));
  },
  // A tool that asks another model: roots within roots.
  async delegated() {
    const ask = ai.tool({
      description: "asks a colleague",
      inputSchema: z.object({ question: z.string() }),
      execute: async () => {
        await generate(HAIKU, true, loop("colleague"));
        return "42";
      },
    });
    await stream(GPT, false, { ...loop("editor"), tools: { ask } });
  },
  // GPT's answer is no object; Claude is asked for it by a tool (5) or for plain text (6, 7).
  async objects() {
    const schema = z.object({ question: z.string() });
    const asked = { schema, ...prompt(true, OBJECTS), ...told("objects") };
    for (const model of [GPT, HAIKU, HAIKU]) {
      await ai.generateObject({ model, ...asked }).catch(notAnObject);
    }
    const streamed = ai.streamObject({ model: HAIKU, onError() {}, ...asked });
    streamed.object.catch(notAnObject);
    for await (const _ of streamed.fullStream);
  },
  async failed() {
    await refused(() => generate(GPT, false, { maxRetries: 0 }));
    await refused(() => generate(HAIKU, false, { maxRetries: 0 }));
    await stream(HAIKU, false, { maxRetries: 0, onError() {} });
  },
  async retried() {
    await stream(GPT);
    await generate(HAIKU);
  },
};

async function play(name) {
  return tracer.startActiveSpan("answer", async (span) => {
    try {
      await CASES[name]();
    } finally {
      span.end();
    }
    await provider.forceFlush();
    const { traceId } = span.spanContext();
    return { [traceId]: ended.get(traceId) };
  });
}

for await (const name of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await play(name)));
}
await provider.shutdown();
