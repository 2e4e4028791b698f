// Chats with the service through OpenAI's Node SDK. Usage: node openai_sdk.mjs BASE_URL (with /v1) API_KEY SDK_DIRECTORY
//
// The service has an index "facts", and behind it a model that sdks.rs programmes: it repeats the last user message; with
// context it says "It was commissioned in 1987 [1]."; with tools it calls get_weather, and says what the tool said.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [baseURL, apiKey, sdkDirectory] = process.argv.slice(2);
const OpenAI = createRequire(join(sdkDirectory, 'package.json'))('openai');
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 60_000 });

const model = 'test-model';
const index_name = 'facts';
const question = [{ role: 'user', content: 'When was the reactor at Site 7 commissioned?' }];
const ANSWER = 'It was commissioned in 1987 [1].';
const tools = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      description: 'The weather in a city.',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
];
const show = (value) => JSON.stringify(value, null, 1);

function checkSources(answer) {
  assert.equal(answer.grounded, true, show(answer));
  assert.match(answer.source_nodes[0].text, /1987/, show(answer));
}

async function models() {
  const listed = [];
  for await (const each of client.models.list()) listed.push(each.id);
  assert.ok(listed.includes(model), show(listed));
}

async function plainChat() {
  const answer = await client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hello' }] });
  assert.equal(answer.choices[0].message.content, 'You said: hello', show(answer));
  assert.ok(!answer.source_nodes, show(answer));
}

async function groundedChat() {
  const answer = await client.chat.completions.create({ model, messages: question, index_name });
  assert.equal(answer.choices[0].message.content, ANSWER, show(answer));
  checkSources(answer);
  const [cited] = answer.choices[0].message.annotations;
  assert.equal(cited.file_citation.file_id, answer.source_nodes[0].doc_id, show(answer));
}

async function streamedGroundedChat() {
  const stream = await client.chat.completions.create({
    model,
    messages: question,
    index_name,
    stream: true,
    stream_options: { include_usage: true },
  });
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
  assert.equal(text, ANSWER, show(chunks));
  assert.ok(chunks.find((chunk) => chunk.usage).usage.total_tokens > 0, show(chunks));
  checkSources(chunks.find((chunk) => chunk.source_nodes));
}

async function streamingHelper() {
  const stream = client.chat.completions.stream({ model, messages: question, index_name });
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, ANSWER, show(final));
}

async function aborted() {
  const stream = await client.chat.completions.create({ model, messages: question, index_name, stream: true });
  for await (const chunk of stream) {
    assert.ok(chunk.choices, show(chunk));
    break; // Leaves the loop, which closes the connection.
  }
}

async function toolConversation(more) {
  const messages = [{ role: 'user', content: 'What is the weather in Tarn?' }];
  const first = await client.chat.completions.create({ model, messages, tools, ...more });
  const [choice] = first.choices;
  assert.equal(choice.finish_reason, 'tool_calls', show(first));
  const [call] = choice.message.tool_calls;
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Tarn' }, show(first));
  messages.push(choice.message, { role: 'tool', tool_call_id: call.id, content: '7 degrees' });
  const second = await client.chat.completions.create({ model, messages, tools, ...more });
  assert.equal(second.choices[0].message.content, 'The tool says: 7 degrees', show(second));
}

/** The SDK streams, calls the function and sends its result back by itself. */
async function toolRunner(more) {
  const cities = [];
  const get_weather = ({ city }) => {
    cities.push(city);
    return '7 degrees';
  };
  const withFunction = tools.map((tool) => ({
    ...tool,
    function: { ...tool.function, function: get_weather, parse: JSON.parse },
  }));
  const messages = [{ role: 'user', content: 'What is the weather in Tarn?' }];
  const runner = client.chat.completions.runTools({ model, messages, tools: withFunction, stream: true, ...more });
  assert.equal(await runner.finalContent(), 'The tool says: 7 degrees');
  assert.deepEqual(cities, ['Tarn']);
}

async function errors() {
  const ask = (content, more) => client.chat.completions.create({ model, messages: [{ role: 'user', content }], ...more });
  await assert.rejects(ask('hello', { index_name: 'nowhere' }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError, String(error));
    return error.status === 404;
  });
  await assert.rejects(ask('be busy'), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError, String(error));
    return error.status === 429 && error.headers.get('retry-after') !== null;
  });
}

await models();
await plainChat();
await groundedChat();
await streamedGroundedChat();
await streamingHelper();
await aborted();
for (const more of [{}, { index_name }]) {
  await toolConversation(more);
  await toolRunner(more);
}
await errors();
console.log("OpenAI's Node SDK is satisfied");
