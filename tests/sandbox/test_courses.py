"""What becomes of what was accepted: progress, ends, cancels, callbacks."""

import asyncio
import collections.abc
import contextlib
import hashlib
import hmac

import pytest
from aiohttp import web

from shared.providers.sandbox import variants
from tests.sandbox import client

BASE = {"": "succeeded", "-instant": "succeeded", "-slow": "succeeded", "-odd": "succeeded", "-fail": "failed"}


@pytest.mark.parametrize("kind", sorted(variants.ALL))
@pytest.mark.parametrize(("suffix", "end"), BASE.items())
async def test_every_kind_ends_as_its_variant_says(sandbox: client.Sandbox, kind: str, suffix: str, end: str) -> None:
    answer = await sandbox.ask(f"{kind}{suffix}", sandbox_seconds=0.1)
    view = await sandbox.over(answer.json()["id"])
    assert (view["status"], view["progress"]) == (end, 100)
    assert bool(view["outputs"]) is (end == "succeeded")


@pytest.mark.parametrize(
    ("model", "status"), [("video", 202), ("image", 200), ("text", 200), ("image-async", 202), ("text-async", 202)]
)
async def test_who_answers_at_once(sandbox: client.Sandbox, model: str, status: int) -> None:
    answer = await sandbox.ask(model)
    assert answer.status_code == status
    assert answer.json()["status"] == ("queued" if status == 202 else "succeeded")


async def test_instant_is_over_at_the_first_poll(sandbox: client.Sandbox) -> None:
    answer = await sandbox.ask("video-instant", sandbox_seconds=None)
    assert answer.json()["status"] == "queued"
    assert (await sandbox.poll(answer.json()["id"])).json()["status"] == "succeeded"


async def test_progress_grows_through_queued_and_running(sandbox: client.Sandbox) -> None:
    id_ = (await sandbox.ask("video-slow", sandbox_seconds=1, sandbox_queue_seconds=0.5)).json()["id"]
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][0] != "succeeded":
        view = (await sandbox.poll(id_)).json()
        seen.append((view["status"], view["progress"]))
    assert list(dict.fromkeys(status for status, _ in seen)) == ["queued", "running", "succeeded"]
    steps = [progress for _, progress in seen]
    assert steps == sorted(steps)
    assert len(set(steps)) > 5


async def test_odd_runs_under_a_word_nobody_knows(sandbox: client.Sandbox) -> None:
    id_ = (await sandbox.ask("video-odd", sandbox_seconds=1)).json()["id"]
    assert (await sandbox.until(id_, "warming"))["outputs"] == []
    assert (await sandbox.over(id_))["status"] == "succeeded"


async def test_lost_is_known_and_then_unknown(sandbox: client.Sandbox) -> None:
    there = sandbox.on("searchable")
    id_ = (await there.ask("video-lost", "job_lost", sandbox_seconds=2)).json()["id"]
    assert (await there.poll(id_)).status_code == 200
    async with asyncio.timeout(20):
        while (await there.poll(id_)).status_code != 404:
            pass
    assert (await there.search("job_lost")).json() == {"data": []}
    assert [line["charged_micros"] for line in await sandbox.record("job_lost")] == [50_000]


async def test_a_queued_one_is_cancelled_at_once_and_free(sandbox: client.Sandbox) -> None:
    id_ = (await sandbox.ask("video", "job_free", sandbox_queue_seconds=600)).json()["id"]
    for _ in range(2):
        assert (await sandbox.cancel(id_)).json()["status"] == "cancelled"
    view = (await sandbox.poll(id_)).json()
    assert (view["status"], view["cost_micros"], view["outputs"]) == ("cancelled", 0, [])


async def test_a_hung_one_can_be_cancelled_and_is_charged(sandbox: client.Sandbox) -> None:
    id_ = (await sandbox.ask("video-hang", "job_hang")).json()["id"]
    view = await sandbox.until(id_, "running")
    assert view["progress"] == 42
    assert (await sandbox.cancel(id_)).json()["status"] == "cancel_requested"
    view = await sandbox.over(id_)
    assert (view["status"], view["cost_micros"]) == ("cancelled", 50_000)


async def test_a_finished_one_cannot_be_cancelled(sandbox: client.Sandbox) -> None:
    view = await sandbox.finished("video-instant")
    answer = await sandbox.cancel(view["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "too_late")
    assert (await sandbox.poll(view["id"])).json()["status"] == "succeeded"


async def test_unknown_ids_are_404(sandbox: client.Sandbox) -> None:
    assert (await sandbox.poll("gen_nope")).status_code == 404
    assert (await sandbox.cancel("gen_nope")).status_code == 404


Heard = asyncio.Queue[tuple[str, bytes]]


@contextlib.asynccontextmanager
async def _listener(heard: Heard, statuses: list[int]) -> collections.abc.AsyncIterator[str]:
    """A client's callback address, which answers with these statuses and then with 200."""

    async def hear(request: web.Request) -> web.Response:
        heard.put_nowait((request.headers["Sandbox-Signature"], await request.read()))
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.router.add_post("/callback", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
    await runner.cleanup()


async def test_a_callback_comes_signed_and_again_after_an_error(sandbox: client.Sandbox) -> None:
    heard: Heard = asyncio.Queue()
    async with _listener(heard, [500]) as url:
        answer = await sandbox.post({**sandbox.body("video", "job_call"), "callback_url": url})
        async with asyncio.timeout(20):
            (signature, body), again = await heard.get(), await heard.get()
    assert again == (signature, body)
    assert signature == "sha256=" + hmac.new(b"sandbox", body, hashlib.sha256).hexdigest()
    assert answer.json()["id"].encode() in body
    assert b'"status":"succeeded"' in body
    assert b'"reference":"job_call"' in body


async def test_a_cancel_calls_back_at_once(sandbox: client.Sandbox) -> None:
    heard: Heard = asyncio.Queue()
    async with _listener(heard, []) as url:
        answer = await sandbox.post({**sandbox.body("video-hang"), "callback_url": url})
        await sandbox.cancel(answer.json()["id"])
        async with asyncio.timeout(20):
            _, body = await heard.get()
    assert b'"status":"cancelled"' in body
