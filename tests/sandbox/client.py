"""The wire as a test speaks it."""

import asyncio
import dataclasses
import itertools
import json
from typing import Any

import httpx

KEY = {"Authorization": "Bearer sandbox-test"}
DEADLINE_SECONDS = 20
SMALL_VIDEO = {"prompt": "a red balloon", "size": "160x90", "duration": 1, "sandbox_seconds": 0.05}
INPUTS: dict[str, dict[str, Any]] = {
    "video": SMALL_VIDEO,
    "image": {"prompt": "a red balloon", "size": "64x48"},
    "text": {"prompt": "a red balloon"},
}
numbers = itertools.count(1)


@dataclasses.dataclass
class Sandbox:
    """One account; `base` is its base path."""

    http: httpx.AsyncClient
    base: str = "/keyed"

    def on(self, account: str) -> "Sandbox":
        return dataclasses.replace(self, base=f"/{account}")

    def body(self, model: str, reference: str | None = None, **inputs: object) -> dict[str, Any]:
        kind = model.split("-", maxsplit=1)[0]
        reference = reference or f"job_{next(numbers)}:1"
        return {"kind": kind, "model": model, "input": {**INPUTS[kind], **inputs}, "reference": reference}

    async def ask(
        self, model: str, reference: str | None = None, key: str | None = None, **inputs: object
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.post(self.body(model, reference, **inputs), headers)

    async def post(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.http.post(f"{self.base}/v1/generations", json=body, headers=headers)

    async def poll(self, id_: str) -> httpx.Response:
        return await self.http.get(f"{self.base}/v1/generations/{id_}")

    async def cancel(self, id_: str) -> httpx.Response:
        return await self.http.post(f"{self.base}/v1/generations/{id_}/cancel")

    async def search(self, reference: str) -> httpx.Response:
        return await self.http.get(f"{self.base}/v1/generations", params={"reference": reference})

    async def until(self, id_: str, *statuses: str) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (view := (await self.poll(id_)).json())["status"] not in statuses:
                pass
        return dict(view)

    async def over(self, id_: str) -> dict[str, Any]:
        return await self.until(id_, "succeeded", "failed", "cancelled")

    async def finished(self, model: str, **inputs: object) -> dict[str, Any]:
        answer = await self.ask(model, None, None, **inputs)
        return await self.over(answer.json()["id"])

    async def download(self, view: dict[str, Any]) -> httpx.Response:
        return await self.http.get(view["outputs"][0]["url"])

    async def record(self, reference: str) -> list[dict[str, Any]]:
        return [line for line in await self.lines() if line["reference"] == reference]

    async def lines(self, since: int = 0) -> list[dict[str, Any]]:
        answer = await self.http.get("/record", params={"since": since})
        return [json.loads(line) for line in answer.content.splitlines()]

    async def summary(self) -> dict[str, Any]:
        return dict((await self.http.get("/record/summary")).json())
