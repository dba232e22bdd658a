"""No key, prompt, output or signed URL in any log of any program of the stack."""

import httpx

from cli import client as clients
from cli.stack import stack
from tests.e2e import conftest

PROMPT = "a lighthouse named Zwiebelfisch"
METADATA = "Quarzuhr"


async def test_the_logs_hold_no_secret(running: stack.Stack, api: clients.Client) -> None:
    bearer = {"Authorization": f"Bearer {running.admin_key}"}
    async with httpx.AsyncClient(base_url=running.base_url, headers=bearer, trust_env=False, timeout=60) as operator:
        created = await operator.post("/v1/keys", json={"name": "A", "scopes": ["admin"]})
        assert created.status_code == 201, created.text
        made = created.json()
        rotated = (await operator.post(f"/v1/keys/{made['id']}/rotate", json={})).json()
        secrets = [running.admin_key, made["secret"], rotated["secret"], "gq_live_not_a_key_at_all"]
        body = {"prompt": PROMPT, "metadata": {"order": METADATA}}
        for model in ("video", "text", "image-refuse", "image-garbage-output"):
            kind = model.partition("-")[0]
            receipt = await api.submit(kind, {"model": f"sandbox/{model}", **body})
            job = await conftest.end_of(api, receipt["id"])
            for output in job["outputs"]:
                found = await operator.get(output["url"], params={"stream": "false"}, follow_redirects=False)
                secrets.append(httpx.URL(found.headers["Location"]).params["X-Amz-Signature"])
                streamed = await operator.get(output["url"], params={"stream": "true"})
                if output["media_type"].startswith("text/"):
                    secrets.append(streamed.text[:40])
        for bad in secrets[1:4]:
            await operator.get(f"/v1/jobs?key={bad}", headers={"Authorization": f"Bearer {bad}"})
            await operator.post("/v1/videos", json={"model": PROMPT, "prompt": PROMPT, PROMPT: METADATA})
        await operator.post(
            "/v1/videos", content=b'{"prompt": "' + PROMPT.encode(), headers={"Content-Type": "application/json"}
        )
    logs = {path.name: path.read_text(errors="replace") for path in running.folder.logs.iterdir()}
    assert {"api.log", "relay.log", "worker-1.log"} <= logs.keys()
    assert "completed" in logs["worker-1.log"] + logs["worker-2.log"]  # they do hold something
    for secret in (*secrets, PROMPT, "Zwiebelfisch", METADATA):
        assert [name for name, text in logs.items() if secret in text] == [], secret[:12]
