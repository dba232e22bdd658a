"""`client.files` and `client.batches`: lines up, answers down."""

import json
import os

import openai_session
import steps

client = openai_session.client(max_retries=0)
LINES = int(os.environ.get("LINES", "1000"))
CHAT = "/v1/chat/completions"


def line(number, model="sandbox/text-instant", url=CHAT, **body):
    turns = {"messages": [{"role": "user", "content": f"Number {number}"}], "max_tokens": 8}
    return {"custom_id": f"row-{number}", "method": "POST", "url": url, "body": {"model": model} | turns | body}


def upload(lines):
    text = "\n".join(item if isinstance(item, str) else json.dumps(item) for item in lines)
    return client.files.create(file=("rows.jsonl", text.encode()), purpose="batch")


def run(lines, endpoint=CHAT, **fields):
    return client.batches.create(input_file_id=upload(lines).id, endpoint=endpoint, completion_window="24h", **fields)


def end_of(batch):
    steps.until_batch(batch.id)
    return client.batches.retrieve(batch.id)


def answers(file_id):
    return [json.loads(item) for item in client.files.content(file_id).text.splitlines()] if file_id else []


made = steps.step("create", lambda: run([line(n) for n in range(LINES)], metadata={"order": "17"}))
ended = steps.step("end", lambda: end_of(made))
good = answers(ended.output_file_id)
steps.note("names", [len(good), len({item["custom_id"] for item in good})])
steps.note("first", good[0])
steps.step("file", lambda: client.files.retrieve(ended.output_file_id))
mixed = [line(1), line(2, model="sandbox/text-refuse"), "not JSON", line(4, url="/v1/nonsense")]
mixed = steps.step("mixed", lambda: end_of(run(mixed)))
steps.note("mixed_good", answers(mixed.output_file_id))
steps.note("mixed_bad", answers(mixed.error_file_id))
video = {"prompt": "a heron", "seconds": "4", "size": "640x360", "model": "sandbox/video-instant"}
video = {"custom_id": "v", "method": "POST", "url": "/v1/videos", "body": video}
filmed = steps.step("video", lambda: end_of(run([video], "/v1/videos")))
filmed = answers(filmed.output_file_id)
steps.note("video_answer", filmed)
steps.step("empty", lambda: end_of(run([])))
steps.step("list", lambda: [batch.id for batch in client.batches.list(limit=1)])
slow = steps.step("slow", lambda: run([line(n, model="sandbox/text-async-slow") for n in range(50)]))
steps.step("cancel", lambda: client.batches.cancel(slow.id))
steps.step("cancelled", lambda: end_of(slow))
key = {"Idempotency-Key": f"batch-{made.id}"}
source = upload([line(1)])
for number in (1, 2):
    steps.step(
        f"keyed_{number}",
        lambda: client.batches.create(
            input_file_id=source.id, endpoint=CHAT, completion_window="24h", extra_headers=key
        ),
    )
steps.step("no_file", lambda: client.batches.create(input_file_id="file-x", endpoint=CHAT, completion_window="24h"))
steps.step("endpoint", lambda: run([line(1)], "/v1/embeddings"))
steps.step("window", lambda: client.batches.create(input_file_id=source.id, endpoint=CHAT, completion_window="soon"))
steps.step("unknown", lambda: client.batches.retrieve("batch_nothing"))
