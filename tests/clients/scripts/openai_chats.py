"""`client.chat.completions`, whole and in pieces."""

import openai_session
import steps

client = openai_session.client(max_retries=0)
chat = client.chat.completions
MODEL = "sandbox/text"
TURNS = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Rivers?"}]},
]


def chunks(**fields: object) -> list[object]:
    return list(chat.create(messages=TURNS, stream=True, **fields))


steps.step("create", lambda: chat.create(model=MODEL, messages=TURNS, max_tokens=50, temperature=0, seed=7))
steps.step("again", lambda: chat.create(model=MODEL, messages=TURNS, max_completion_tokens=50, temperature=0, seed=7))
steps.step(
    "stream", lambda: chunks(model=MODEL, max_tokens=50, temperature=0, seed=7, stream_options={"include_usage": True})
)
steps.step("stream_plain", lambda: chunks(model=MODEL, max_tokens=50, temperature=0, seed=7))
schema = {
    "type": "object",
    "properties": {"rivers": {"type": "array", "items": {"type": "string"}}},
    "required": ["rivers"],
}
form = {"type": "json_schema", "json_schema": {"name": "rivers", "schema": schema, "strict": None}}
steps.step("schema", lambda: chat.create(model=MODEL, messages=TURNS, response_format=form))
slow = client.with_options(timeout=15)
steps.step(
    "slow_stream",
    lambda: list(slow.chat.completions.create(model="sandbox/text-async-slow", messages=TURNS, stream=True)),
)
steps.step(
    "fallback",
    lambda: chat.create(
        model="sandbox/text-refuse", messages=TURNS, extra_body={"models": [MODEL], "fallback_on": ["content_policy"]}
    ),
)
steps.step("refused", lambda: chat.create(model="sandbox/text-refuse", messages=TURNS))
steps.step("refused_stream", lambda: chunks(model="sandbox/text-refuse"))
late = {"deadline_seconds": 8}
steps.step("late_stream", lambda: chunks(model="sandbox/text-async-hang", extra_body=late))
steps.step("late_whole", lambda: chat.create(model="sandbox/text-async-hang", messages=TURNS, extra_body=late))
steps.step(
    "early_expiry",
    lambda: chat.create(model="sandbox/text-async-hang", messages=TURNS, extra_body={"deadline_seconds": 1}),
)
tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
steps.step("tools", lambda: chat.create(model=MODEL, messages=TURNS, tools=[tool]))
picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]}]
steps.step("picture", lambda: chat.create(model=MODEL, messages=picture))
steps.step("unknown_field", lambda: chat.create(model=MODEL, messages=TURNS, extra_body={"colour": "red"}))
