// LangChain's models, chains and agents in node, told of by OpenInference.

"use strict";

const { exporting, serve } = require("./cases.cjs");

const { LangChainInstrumentation } = require("@arizeai/openinference-instrumentation-langchain");
const { ChatAnthropic } = require("@langchain/anthropic");
const callbacks = require("@langchain/core/callbacks/manager");
const { HumanMessage, SystemMessage } = require("@langchain/core/messages");
const { StringOutputParser } = require("@langchain/core/output_parsers");
const { ChatOpenAI } = require("@langchain/openai");
const { createAgent, tool } = require("langchain");
const { z } = require("zod");

const provider = exporting();
new LangChainInstrumentation().manuallyInstrument(callbacks);

const QUESTION = "What is six times seven?";

function gpt(model = "gpt-5", options = {}) {
  const configuration = { baseURL: process.env.OPENAI_BASE_URL };
  return new ChatOpenAI({ model, configuration, ...options });
}

function haiku(options = {}) {
  const anthropicApiUrl = process.env.ANTHROPIC_BASE_URL;
  return new ChatAnthropic({ model: "claude-haiku-4-5", maxTokens: 64, anthropicApiUrl, ...options });
}

// With a system prompt of the case's own that Anthropic is asked to cache.
function prompt(name) {
  const text = `In the case of ${name} you answer with care. `.repeat(50);
  const block = { type: "text", text, cache_control: { type: "ephemeral" } };
  const system = new SystemMessage(name.startsWith("anthropic") ? { content: [block] } : text);
  return [system, new HumanMessage(QUESTION)];
}

// A chain of model and parser for each; what one has written or read, the others read.
async function chat(name, ...models) {
  for (const model of models) {
    await model.pipe(new StringOutputParser()).invoke(prompt(name));
  }
}

async function stream(name, ...models) {
  for (const model of models) {
    for await (const _ of await model.pipe(new StringOutputParser()).stream(prompt(name)));
  }
}

const calculate = tool(async ({ question }) => `${question}: 42`, {
  name: "calculate",
  description: "Answer a question.",
  schema: z.object({ question: z.string() }),
});

// An agent, which is a graph, with a tool.
async function tools(name, model) {
  const [systemPrompt, question] = prompt(name);
  const agent = createAgent({ model, tools: [calculate], systemPrompt, name: "researcher" });
  await agent.invoke({ messages: [question] });
}

async function refused(name, model) {
  try {
    await model.invoke(prompt(name));
  } catch (error) {
    if (error.status === 500) return;
    throw error;
  }
  throw new Error("the model server was to refuse this call");
}

const CASES = {
  "openai-chat": () => chat("openai chat", gpt("gpt-5-mini"), gpt(), gpt()),
  "openai-stream": () => stream("openai stream", gpt(), gpt()),
  "openai-tools": () => tools("openai tools", gpt()),
  "openai-error": () => refused("openai error", gpt("gpt-5", { maxRetries: 0 })),
  "anthropic-cache": () => chat("anthropic chat", haiku(), haiku()),
  "anthropic-stream": () => stream("anthropic stream", haiku(), haiku()),
  "anthropic-tools": () => tools("anthropic tools", haiku()),
  "anthropic-error": () => refused("anthropic error", haiku({ maxRetries: 0 })),
};

serve(provider, CASES);
