"""Chats with the service through LangChain's ChatOpenAI. Usage: langchain_sdk.py BASE_URL (with /v1) API_KEY

The service has an index "facts", and behind it a model that sdks.rs programmes: it repeats the last user message; with
context it says "It was commissioned in 1987 [1]."; with tools it calls get_weather, and says what the tool said.
"""

import sys

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import NotFoundError, RateLimitError

QUESTION = "When was the reactor at Site 7 commissioned?"
ANSWER = "It was commissioned in 1987 [1]."


def model(index_name=None):
    body = {"index_name": index_name} if index_name else None
    return ChatOpenAI(
        base_url=sys.argv[1],
        api_key=sys.argv[2],
        model="test-model",
        max_retries=0,
        temperature=0,
        extra_body=body,
    )


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"7 degrees in {city}"


def chats():
    answer = model().invoke([SystemMessage("Be brief."), HumanMessage("hello")])
    assert answer.content == "You said: hello", answer
    assert answer.usage_metadata["total_tokens"] > 0, answer
    answer = model("facts").invoke(QUESTION)
    assert answer.content == ANSWER, answer


def streams():
    for index_name, question, expected in [(None, "hello", "You said: hello"), ("facts", QUESTION, ANSWER)]:
        chunks = list(model(index_name).stream(question, stream_usage=True))
        whole = sum(chunks[1:], chunks[0])
        assert len(chunks) > 2 and whole.content == expected, chunks
        assert whole.usage_metadata["total_tokens"] > 0, whole


def tools(index_name):
    with_tools = model(index_name).bind_tools([get_weather])
    messages = [HumanMessage("What is the weather in Tarn?")]
    first = with_tools.invoke(messages)
    [call] = first.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Tarn"}), first
    chunks = list(with_tools.stream(messages))
    assert sum(chunks[1:], chunks[0]).tool_calls == first.tool_calls, chunks
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage), result
    second = with_tools.invoke([*messages, first, result])
    assert second.content == "The tool says: 7 degrees in Tarn", second


def errors():
    for asked, index_name, expected in [("hello", "nowhere", NotFoundError), ("be busy", None, RateLimitError)]:
        try:
            answer = model(index_name).invoke(asked)
        except expected:
            continue
        raise AssertionError(answer)


chats()
streams()
tools(None)
tools("facts")
errors()
print("LangChain is satisfied")
