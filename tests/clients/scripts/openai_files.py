"""`client.files` and `client.models`."""

import io

import openai_session
import steps

client = openai_session.client(max_retries=0)
files = client.files

made = steps.step("create", lambda: files.create(file=("rows.jsonl", b'{"a": 1}\n'), purpose="batch"))
steps.step("create_bytes", lambda: files.create(file=b"bytes", purpose="user_data"))
big = b"0123456789abcdef" * 1024 * 1024  # 16 MiB: more than an ordinary body may have
large = steps.step("create_large", lambda: files.create(file=("big.bin", io.BytesIO(big)), purpose="user_data"))
steps.note("large_is_whole", files.content(large.id).read() == big)
expiry = {"anchor": "created_at", "seconds": 3600}
steps.step("expires", lambda: files.create(file=b"x", purpose="user_data", expires_after=expiry))
steps.step("retrieve", lambda: files.retrieve(made.id))
steps.step("wait", lambda: files.wait_for_processing(made.id))
steps.step("content", lambda: files.content(made.id).text)
steps.step("list", lambda: [file.id for file in files.list(limit=2, order="asc")])
steps.step("list_purpose", lambda: [file.id for file in files.list(purpose="batch")])
steps.step("delete", lambda: files.delete(made.id))
steps.step("retrieve_deleted", lambda: files.retrieve(made.id))
steps.step(
    "expiry_too_short", lambda: files.create(file=b"x", purpose="user_data", expires_after=expiry | {"seconds": 5})
)
steps.step("purpose", lambda: files.create(file=b"x", purpose="nonsense"))
steps.step("models", lambda: list(client.models.list()))
steps.step("model", lambda: client.models.retrieve("sandbox/video"))
steps.step("model_unknown", lambda: client.models.retrieve("sandbox/vidoe"))
