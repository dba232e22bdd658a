"""What the client raises when a key has used up its rate or its budget."""

import os

import openai_session
import steps

tried: list[str] = []


def client(key: str, **options):
    made = openai_session.client(api_key=os.environ[key], **options)
    made._client.event_hooks = {"request": [lambda request: tried.append(str(request.url))]}
    return made


def tries(name, do):
    tried.clear()
    steps.step(name, do)
    steps.note(f"{name}_tries", len(tried))


def until_refused(models):
    for _ in range(20):
        models.list()


steps.step("rate", lambda: until_refused(client("HASTY_KEY", max_retries=0).models))
poor = client("POOR_KEY", max_retries=2)
video = {"model": "sandbox/video", "prompt": "x", "seconds": "4", "size": "1280x720"}
tries("video", lambda: poor.videos.create(**video))
tries("image", lambda: poor.images.generate(model="sandbox/image", prompt="x"))
turns = [{"role": "user", "content": "x"}]
tries("chat", lambda: poor.chat.completions.create(model="sandbox/text", messages=turns))
tries("chat_stream", lambda: list(poor.chat.completions.create(model="sandbox/text", messages=turns, stream=True)))
tries("response", lambda: poor.responses.create(model="sandbox/text", input="x", background=True))
line = (
    b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body":'
    b' {"model": "sandbox/text", "messages": [{"role": "user", "content": "x"}]}}\n'
)


def batch():
    file = poor.files.create(file=("rows.jsonl", line), purpose="batch")
    made = poor.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    steps.until_batch(made.id, "batch.validated")
    return poor.batches.retrieve(made.id)


steps.step("batch", batch)
reader = client("READING_KEY", max_retries=0)
steps.step("read", lambda: reader.videos.list(limit=1))
steps.step("write", lambda: reader.videos.create(**video))
