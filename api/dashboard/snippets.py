"""The same as code: what a page did, to be pasted into a shell or a program. Never with a key in it."""

import shlex
from typing import Any

import orjson

from shared.domain import states


def curl(public_url: str, kind: states.Kind, body: dict[str, Any]) -> str:
    """A shell command that submits this."""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    return (
        f"curl -sS {public_url}/v1/{kind}s \\\n"
        '  -H "Authorization: Bearer $GENQUEUE_API_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(text)}"
    )


def python(public_url: str, kind: states.Kind, body: dict[str, Any]) -> str:
    """A Python program that submits this and saves the first output."""
    return f"""import os
import httpx

api = httpx.Client(
    base_url={public_url!r},
    headers={{"Authorization": f"Bearer {{os.environ['GENQUEUE_API_KEY']}}"}},
    timeout=60,
)
job = api.post("/v1/{kind}s", json={_literal(body)}).raise_for_status().json()
while job["status"] in ("queued", "in_progress"):
    job = api.get(f"/v1/jobs/{{job['id']}}", params={{"wait": 20}}).raise_for_status().json()
print(job["status"], job["usage"]["cost"])
if job["outputs"]:
    answer = api.get(job["outputs"][0]["url"], follow_redirects=True)
    open("output", "wb").write(answer.content)
"""


def _literal(body: dict[str, Any]) -> str:
    """The body as Python writes it, a field a line."""
    lines = "".join(f"    {name!r}: {value!r},\n" for name, value in body.items())
    return f"{{\n{lines}}}"
