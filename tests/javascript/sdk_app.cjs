// Calls through the SDKs of OpenAI and Anthropic; APP_WATCHED_BY says which libraries tell of them.
//
// In CommonJS: what instruments a module does so when it is required.

"use strict";

const { registerInstrumentations } = require("@opentelemetry/instrumentation");

const { exporting, serve } = require("./cases.cjs");

const GPT = "gpt-5";
const MINI = "gpt-5-mini";
const HAIKU = "claude-haiku-4-5";
const QUESTION = "What is six times seven?";
const PARAMETERS = { type: "object", properties: { question: { type: "string" } } };
const FUNCTION = { type: "function", function: { name: "calculate", parameters: PARAMETERS } };
const TOOL = { name: "calculate", input_schema: PARAMETERS };

const WATCHERS = {
  openinference: () => [
    new (require("@arizeai/openinference-instrumentation-openai").OpenAIInstrumentation)(),
    new (require("@arizeai/openinference-instrumentation-anthropic").AnthropicInstrumentation)(),
  ],
  openllmetry: () => [
    new (require("@traceloop/instrumentation-openai").OpenAIInstrumentation)(),
    new (require("@traceloop/instrumentation-anthropic").AnthropicInstrumentation)(),
  ],
  opentelemetry: () => [
    new (require("@opentelemetry/instrumentation-openai").OpenAIInstrumentation)(),
  ],
  langfuse: () => [], // wraps the client
};

const watchedBy = process.env.APP_WATCHED_BY.split(" ");
const provider = exporting();
registerInstrumentations({ instrumentations: watchedBy.flatMap((name) => WATCHERS[name]()) });

const { OpenAI, InternalServerError } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");

function openai(options = {}) {
  const client = new OpenAI(options);
  return watchedBy.includes("langfuse")
    ? require("@langfuse/openai").observeOpenAI(client)
    : client;
}

// A prompt of the case's own, long enough to be cached.
function system(name) {
  return `In the case of ${name} you answer with care. `.repeat(50);
}

function prompt(name) {
  return [{ role: "system", content: system(name) }, { role: "user", content: QUESTION }];
}

// A system prompt that is written to the cache, then read from it.
function cached(name) {
  return {
    model: HAIKU,
    max_tokens: 64,
    system: [{ type: "text", text: system(name), cache_control: { type: "ephemeral" } }],
    messages: [{ role: "user", content: QUESTION }],
  };
}

async function drained(stream) {
  for await (const _ of await stream);
}

async function refused(call, kind) {
  try {
    await call();
  } catch (error) {
    if (error instanceof kind) return;
    throw error;
  }
  throw new Error("the model server was to refuse this call");
}

const CASES = {
  // Two models; what the first has read is cached for the second.
  async "openai-chat"() {
    for (const model of [MINI, GPT, GPT]) {
      await openai().chat.completions.create({ model, messages: prompt("chat") });
    }
  },
  async "openai-stream"() {
    const asked = { model: GPT, messages: prompt("stream"), stream: true };
    const stating = { ...asked, stream_options: { include_usage: true } };
    for (let i = 0; i < 2; i++) await drained(openai().chat.completions.create(stating));
  },
  async "openai-tools"() {
    const messages = prompt("tools");
    const asked = { model: GPT, messages, tools: [FUNCTION] };
    const answer = (await openai().chat.completions.create(asked)).choices[0].message;
    messages.push(answer);
    for (const { id } of answer.tool_calls) {
      messages.push({ role: "tool", tool_call_id: id, content: "42" });
    }
    await openai().chat.completions.create(asked);
  },
  // Three calls at once that differ in nothing but the answer's id.
  async "openai-parallel"() {
    const client = openai();
    const asked = { model: GPT, messages: [{ role: "user", content: QUESTION }] };
    await Promise.all([1, 2, 3].map(() => client.chat.completions.create(asked)));
  },
  async "openai-embeddings"() {
    await openai().embeddings.create({ model: "text-embedding-3-small", input: QUESTION });
  },
  async "openai-retry"() {
    await openai().chat.completions.create({ model: GPT, messages: prompt("retry") });
  },
  async "openai-error"() {
    const asked = { model: GPT, messages: prompt("error") };
    const client = openai({ maxRetries: 0 });
    await refused(() => client.chat.completions.create(asked), InternalServerError);
  },
  async "responses-chat"() {
    for (const model of [MINI, GPT]) {
      await openai().responses.create({ model, input: prompt("answers") });
    }
  },
  async "responses-stream"() {
    const asked = { model: GPT, input: prompt("streamed answers"), stream: true };
    for (let i = 0; i < 2; i++) await drained(openai().responses.create(asked));
  },
  async "anthropic-cache"() {
    for (let i = 0; i < 2; i++) await new Anthropic().messages.create(cached("cache"));
  },
  async "anthropic-stream"() {
    const asked = { ...cached("stream"), stream: true };
    for (let i = 0; i < 2; i++) await drained(new Anthropic().messages.create(asked));
  },
  async "anthropic-tools"() {
    const asked = { ...cached("tools"), tools: [TOOL] };
    const { content } = await new Anthropic().messages.create(asked);
    const results = content
      .filter(({ type }) => type === "tool_use")
      .map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "42" }));
    const talk = [{ role: "assistant", content }, { role: "user", content: results }];
    await new Anthropic().messages.create({ ...asked, messages: [...asked.messages, ...talk] });
  },
  async "anthropic-retry"() {
    await new Anthropic().messages.create(cached("retry"));
  },
  async "anthropic-error"() {
    const client = new Anthropic({ maxRetries: 0 });
    await refused(() => client.messages.create(cached("error")), Anthropic.InternalServerError);
  },
};

serve(provider, CASES);
