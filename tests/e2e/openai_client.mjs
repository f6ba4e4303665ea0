// The server through the `openai` package, a client that nobody here wrote.
// usage: node openai_client.mjs BASE_URL MODEL      (the package is found beside a copy of this file)
import assert from "node:assert/strict";
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "not-needed", maxRetries: 0 });
const messages = [
  { role: "system", content: "You answer briefly." },
  { role: "user", content: "What is 2 + 3?" },
];
const checks = {
  async "models are listed"() {
    const list = await client.models.list();
    assert.deepEqual(list.data.map((one) => one.id), [model]);
    assert.equal((await client.models.retrieve(model)).object, "model");
  },

  async "a chat answers, with usage"() {
    const reply = await client.chat.completions.create({ model, messages, max_completion_tokens: 8, temperature: 0 });
    assert.equal(reply.object, "chat.completion");
    assert.equal(reply.choices[0].message.role, "assistant");
    assert.equal(typeof reply.choices[0].message.content, "string");
    assert.ok(["stop", "length"].includes(reply.choices[0].finish_reason));
    assert.equal(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens);
  },

  async "a streamed chat is the whole one in pieces"() {
    const ask = { model, messages, max_tokens: 20, temperature: 0.8, seed: 11 };
    const whole = await client.chat.completions.create(ask);
    const stream = await client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } });
    let text = "";
    let usage = null;
    let finish = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(finish, whole.choices[0].finish_reason);
    assert.deepEqual(usage.completion_tokens, whole.usage.completion_tokens);
  },

  async "the package's own stream helper assembles the answer"() {
    const runner = client.chat.completions.stream({ model, messages, max_tokens: 6, temperature: 0 });
    const final = await runner.finalChatCompletion();
    assert.equal(final.choices[0].message.role, "assistant");
    assert.ok(final.choices[0].message.content.length > 0);
  },

  async "chat log-probabilities name tokens, bytes and alternatives"() {
    const reply = await client.chat.completions.create({
      model, messages, max_tokens: 5, temperature: 0, logprobs: true, top_logprobs: 3,
    });
    for (const token of reply.choices[0].logprobs.content) {
      assert.ok(token.logprob <= 0);
      assert.equal(token.top_logprobs.length, 3);
      assert.equal(token.top_logprobs[0].token, token.token);
      assert.equal(Buffer.from(token.bytes).toString("utf8"), token.token);
    }
  },

  async "a plain completion echoes its prompt with log-probabilities"() {
    const reply = await client.completions.create({
      model, prompt: "Q: What is 2 + 3?", max_tokens: 0, echo: true, logprobs: 1,
    });
    const { tokens, token_logprobs: logprobs, text_offset: offsets } = reply.choices[0].logprobs;
    assert.equal(reply.choices[0].text, "Q: What is 2 + 3?");
    assert.equal(logprobs[0], null);
    assert.ok(logprobs.slice(1).every((value) => value < 0));
    assert.equal(tokens.length, offsets.length);
  },

  async "several choices, stops and biases"() {
    const many = await client.completions.create({ model, prompt: ["a", "b"], n: 2, max_tokens: 4, seed: 1 });
    assert.deepEqual(many.choices.map((one) => one.index), [0, 1, 2, 3]);
    const free = await client.completions.create({ model, prompt: "Q:", max_tokens: 10, temperature: 0 });
    const stop = free.choices[0].text[2];
    const cut = await client.completions.create({ model, prompt: "Q:", max_tokens: 10, temperature: 0, stop });
    assert.equal(cut.choices[0].text, free.choices[0].text.slice(0, free.choices[0].text.indexOf(stop)));
    await client.completions.create({ model, prompt: "Q:", max_tokens: 2, logit_bias: { 65: 5 } });
  },

  async "errors are the package's typed errors"() {
    await assert.rejects(client.chat.completions.create({ model: "other", messages }), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, "model_not_found");
      return true;
    });
    await assert.rejects(client.chat.completions.create({ model, messages, temperature: -1 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, "temperature");
      assert.equal(error.type, "invalid_request_error");
      return true;
    });
    await assert.rejects(
      client.chat.completions.create({ model, messages: [{ role: "user", content: "9 ".repeat(5000) }] }),
      (error) => error instanceof OpenAI.BadRequestError && error.code === "context_length_exceeded");
  },

  async "an aborted stream leaves a server that answers"() {
    const stream = await client.completions.create({ model, prompt: "Q:", max_tokens: 500, stream: true });
    for await (const chunk of stream) {
      assert.equal(chunk.object, "text_completion");
      stream.controller.abort();
      break;
    }
    const reply = await client.completions.create({ model, prompt: "Q:", max_tokens: 1 });
    assert.equal(reply.choices.length, 1);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log(`ok: ${name}`);
}
