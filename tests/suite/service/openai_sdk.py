"""Chats with the service through OpenAI's Python SDK. Usage: openai_sdk.py BASE_URL (with /v1) API_KEY

The service has an index "facts", and behind it a model that sdks.rs programmes: it repeats the last user message; with
context it says "It was commissioned in 1987 [1]."; with tools it calls get_weather, and says what the tool said.
"""

import asyncio
import json
import sys

from openai import AsyncOpenAI, AuthenticationError, NotFoundError, OpenAI, RateLimitError

base_url, api_key = sys.argv[1:]
client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=60)
MODEL = "test-model"
GROUNDED = {"index_name": "facts"}
QUESTION = [{"role": "user", "content": "When was the reactor at Site 7 commissioned?"}]
ANSWER = "It was commissioned in 1987 [1]."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def check_sources(answer):
    """`answer` is a completion or a chunk: what OpenAI's types do not know is in model_extra."""
    assert answer.model_extra["grounded"] is True, answer
    sources = answer.model_extra["source_nodes"]
    assert "1987" in sources[0]["text"] and sources[0]["doc_id"], sources


def models():
    listed = [model.id for model in client.models.list()]
    assert MODEL in listed, listed


def plain_chat():
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "hello"}], temperature=0, seed=1
    )
    assert answer.choices[0].message.content == "You said: hello", answer
    assert answer.choices[0].finish_reason == "stop" and answer.usage.total_tokens > 0, answer
    assert not answer.model_extra.get("source_nodes"), answer


def grounded_chat():
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, extra_body=GROUNDED)
    message = answer.choices[0].message
    assert message.content == ANSWER, answer
    check_sources(answer)
    cited = message.annotations[0].model_dump()
    assert cited["type"] == "file_citation" and cited["file_citation"]["number"] == 1, cited
    assert cited["file_citation"]["file_id"] == answer.model_extra["source_nodes"][0]["doc_id"], cited


def check_stream(chunks):
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == ANSWER, chunks
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert [reason for reason in reasons if reason] == ["stop"], chunks
    [usage] = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.total_tokens > 0, usage
    [sources] = [chunk for chunk in chunks if chunk.model_extra.get("source_nodes")]
    # The simplest loop reads the first choice of every chunk.
    assert sources.choices[0].delta.content is None, sources
    check_sources(sources)
    assert len({chunk.id for chunk in chunks}) == 1, chunks


def streamed_grounded_chat():
    check_stream(
        list(
            client.chat.completions.create(
                model=MODEL,
                messages=QUESTION,
                stream=True,
                stream_options={"include_usage": True},
                extra_body=GROUNDED,
            )
        )
    )


def streaming_helper():
    """The SDK's own accumulator is stricter than a loop over chunks."""
    with client.chat.completions.stream(model=MODEL, messages=QUESTION, extra_body=GROUNDED) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content == ANSWER, final


async def asynchronous_streamed_chat():
    async with AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0) as asynchronous:
        stream = await asynchronous.chat.completions.create(
            model=MODEL,
            messages=QUESTION,
            stream=True,
            stream_options={"include_usage": True},
            extra_body=GROUNDED,
        )
        check_stream([chunk async for chunk in stream])


def tools(extra_body):
    messages = [{"role": "user", "content": "What is the weather in Tarn?"}]
    first = client.chat.completions.create(
        model=MODEL, messages=messages, tools=[WEATHER], tool_choice="auto", extra_body=extra_body
    )
    assert first.choices[0].finish_reason == "tool_calls", first
    [call] = first.choices[0].message.tool_calls
    assert call.function.name == "get_weather", call
    assert json.loads(call.function.arguments) == {"city": "Tarn"}, call
    # What the SDK gives is what the next request carries, unknown members included.
    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "7 degrees"},
    ]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], extra_body=extra_body)
    assert second.choices[0].message.content == "The tool says: 7 degrees", second


def streamed_tools(extra_body):
    with client.chat.completions.stream(
        model=MODEL,
        messages=[{"role": "user", "content": "What is the weather in Tarn?"}],
        tools=[WEATHER],
        extra_body=extra_body,
    ) as stream:
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert call.id and json.loads(call.function.arguments) == {"city": "Tarn"}, call


def unknown_index():
    try:
        answer = client.chat.completions.create(
            model=MODEL, messages=QUESTION, extra_body={"index_name": "nowhere"}
        )
    except NotFoundError as error:
        assert error.status_code == 404, error
    else:
        raise AssertionError(answer)


def busy_model():
    try:
        answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "be busy"}])
    except RateLimitError as error:
        assert error.status_code == 429 and error.response.headers["retry-after"], error.response.headers
    else:
        raise AssertionError(answer)


def wrong_key():
    try:
        answer = client.with_options(api_key="nobodys-key-at-all").models.list()
    except AuthenticationError as error:
        assert error.code == "invalid_api_key" and "Authorization: Bearer" in error.message, error
    else:
        raise AssertionError(answer)


models()
plain_chat()
grounded_chat()
streamed_grounded_chat()
streaming_helper()
asyncio.run(asynchronous_streamed_chat())
for body in ({}, GROUNDED):
    tools(body)
    streamed_tools(body)
unknown_index()
busy_model()
wrong_key()
print("OpenAI's Python SDK is satisfied")
