"""`client.embeddings`: texts in, vectors out."""

import openai_session
import steps

client = openai_session.client(max_retries=0)
MODEL = "sandbox/embedding"
FLOATS = {"encoding_format": "float"}
TEXTS = ["a grey heron by the river", "the heron and the river", "interest rates"]


def make(**fields):
    return client.embeddings.create(**FLOATS | fields)


steps.step("several", lambda: client.embeddings.create(model=MODEL, input=TEXTS))
steps.step("floats", lambda: make(model=MODEL, input=TEXTS))
steps.step("one", lambda: make(model=MODEL, input=TEXTS[0], dimensions=8))
steps.step("many", lambda: len(make(model=MODEL, input=[f"number {n}" for n in range(2048)], dimensions=4).data))
steps.step("fallback", lambda: make(model="sandbox/embedding-unavailable", input="x", extra_body={"models": [MODEL]}))
steps.step("refused", lambda: make(model="sandbox/embedding-refuse", input="x"))
steps.step("ragged", lambda: make(model="sandbox/embedding-ragged", input=["x", "y"]))
steps.step("tokens", lambda: make(model=MODEL, input=[1, 2, 3]))
steps.step("empty", lambda: make(model=MODEL, input=[]))
steps.step("blank", lambda: make(model=MODEL, input=["a", " "]))
steps.step("too_many", lambda: make(model=MODEL, input=["a"] * 2049))
steps.step("kind", lambda: make(model="sandbox/text", input="x"))
steps.step("chat", lambda: client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}]))
steps.step("unknown", lambda: make(model=MODEL, input="x", extra_body={"colour": "red"}))
