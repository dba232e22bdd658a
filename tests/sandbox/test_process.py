"""The server as a process: it starts, stops, is killed, remembers, and stands many polls."""

import asyncio
import collections.abc
import contextlib
import pathlib
import signal
import sys
from typing import Any

import httpx

from tests.sandbox import client

DEADLINE_SECONDS = 30


@contextlib.asynccontextmanager
async def _process(*more: str) -> collections.abc.AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A running server and its URL, as its first line says; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shared.providers.sandbox", *more, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = (await process.stdout.readline()).decode()
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _ask(model: str, reference: str, **inputs: object) -> dict[str, Any]:
    content = {"prompt": "a mill", "size": "64x48", "duration": 1, **inputs}
    return {"kind": model.split("-", maxsplit=1)[0], "model": model, "input": content, "reference": reference}


async def _over(http: httpx.AsyncClient, id_: str) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (view := (await http.get(f"/keyed/v1/generations/{id_}")).json())["status"] != "succeeded":
            pass
    return dict(view)


async def test_sigterm_ends_it_cleanly_even_with_open_lines(tmp_path: pathlib.Path) -> None:
    port_file = tmp_path / "port"
    async with _process("--port-file", str(port_file)) as (process, url):
        assert url == f"http://127.0.0.1:{port_file.read_text()}"
        async with httpx.AsyncClient(base_url=url, headers=client.KEY) as http:
            held = asyncio.create_task(http.post("/v1/generations", json=_ask("image", "job_1", sandbox_seconds=600)))
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not (await http.get("/record")).content:
                    pass
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert await process.wait() == 0
            held.cancel()
            await asyncio.gather(held, return_exceptions=True)


async def test_a_kill_and_a_restart_lose_nothing(tmp_path: pathlib.Path) -> None:
    state = ("--state", str(tmp_path / "sandbox.sqlite"))
    body, key = _ask("video", "job_2", sandbox_seconds=1), {"Idempotency-Key": "two"}
    async with _process(*state) as (process, url), httpx.AsyncClient(base_url=url, headers=client.KEY) as http:
        id_ = (await http.post("/keyed/v1/generations", json=body, headers=key)).json()["id"]
        cancelled = (await http.post("/keyed/v1/generations", json=_ask("video-hang", "job_3"))).json()["id"]
        body_of_slow = _ask("video-slow", "job_5", sandbox_seconds=600)
        slow = (await http.post("/keyed/v1/generations", json=body_of_slow)).json()["id"]
        await http.post("/keyed/v1/generations", json=_ask("image-flaky", "job_4:1"))
        await http.post(f"/keyed/v1/generations/{cancelled}/cancel")
        before = (await http.get("/record/summary")).json()
        process.kill()
        await process.wait()
    async with _process(*state) as (_, url), httpx.AsyncClient(base_url=url, headers=client.KEY) as http:
        view = await _over(http, id_)
        assert view["outputs"][0]["url"].startswith(url)
        assert (await http.get(view["outputs"][0]["url"])).content[4:8] == b"ftyp"
        assert (await http.get(f"/keyed/v1/generations/{cancelled}")).json()["status"] == "cancelled"
        assert (await http.get(f"/keyed/v1/generations/{slow}")).json()["status"] in {"queued", "running"}
        after = (await http.get("/record/summary")).json()
        assert (after["asks"], after["charged_micros"]) == (before["asks"], before["charged_micros"])
        again = await http.post("/keyed/v1/generations", json=body, headers=key)
        assert again.json()["id"] == id_
        flaky = await http.post("/keyed/v1/generations", json=_ask("image-flaky", "job_4:2"))
        assert flaky.status_code == 200


async def test_two_thousand_polls_at_once_while_films_are_made() -> None:
    limits = httpx.Limits(max_connections=50)
    async with (
        _process() as (_, url),
        httpx.AsyncClient(base_url=url, headers=client.KEY, limits=limits, timeout=DEADLINE_SECONDS) as http,
    ):
        films = [_ask("video-instant", f"job_{number}", seed=number, size="640x360") for number in range(4)]
        ids = [(await http.post("/keyed/v1/generations", json=film)).json()["id"] for film in films]
        downloads = [asyncio.create_task(http.get(f"/media/{id_}/0")) for id_ in ids]
        polls = await asyncio.gather(
            *(http.get(f"/keyed/v1/generations/{ids[number % len(ids)]}") for number in range(2000))
        )
        assert {poll.json()["status"] for poll in polls} == {"succeeded"}
        assert len({(await download).content for download in downloads}) == len(films)
