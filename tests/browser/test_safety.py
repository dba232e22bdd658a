"""What the dashboard refuses, asked without a browser."""

from collections.abc import AsyncIterator

import httpx
import pytest

from api.dashboard import sessions
from cli import client
from cli.stack import stack


@pytest.fixture
async def person(running: stack.Stack) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is signed in."""
    async with httpx.AsyncClient(base_url=running.base_url, trust_env=False, timeout=30) as http:
        answer = await http.post("/sign-in", data={"key": running.admin_key})
        assert answer.status_code == 303, answer.text
        yield http


def token_of(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"', maxsplit=1)[0]


async def test_the_cookie_is_out_of_reach_and_holds_no_readable_key(
    person: httpx.AsyncClient, running: stack.Stack
) -> None:
    answer = await person.post("/sign-in", data={"key": running.admin_key, "csrf_token": await _token(person)})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert running.admin_key not in cookie


async def _token(person: httpx.AsyncClient) -> str:
    return token_of((await person.get("/")).text)


async def test_a_form_of_another_site_changes_nothing(person: httpx.AsyncClient, api: client.Client) -> None:
    job_id = (await api.submit("video", {"model": "sandbox/video-slow", "prompt": "x"}))["id"]
    token = await _token(person)
    assert (await person.post(f"/jobs/{job_id}/cancel")).status_code == 403
    assert (await person.post(f"/jobs/{job_id}/cancel", data={"csrf_token": "wrong"})).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert (
        await person.post(f"/jobs/{job_id}/cancel", data={"csrf_token": token}, headers=elsewhere)
    ).status_code == 403
    assert (await api.job(job_id))["cancel_requested_at"] is None
    assert (await person.post(f"/jobs/{job_id}/cancel", data={"csrf_token": token})).status_code == 303
    assert (await api.job(job_id))["cancel_requested_at"] is not None


async def test_the_cookie_opens_pages_and_not_the_api(person: httpx.AsyncClient) -> None:
    assert (await person.get("/")).status_code == 200
    assert (await person.get("/v1/jobs")).status_code == 401
    assert (await person.get("/metrics")).status_code == 401


async def test_a_cookie_that_is_not_ours_signs_nobody_in(running: stack.Stack) -> None:
    async with httpx.AsyncClient(base_url=running.base_url, trust_env=False) as http:
        http.cookies.set(sessions.COOKIE, "gAAAAABnonsense")
        answer = await http.get("/")
    assert answer.status_code == 401
    assert "Sign in" in answer.text


async def test_the_policy_allows_nothing_inline_and_nobody_else(person: httpx.AsyncClient) -> None:
    for path in ("/", "/new", "/models", "/system", "/jobs/job_nothing"):
        answer = await person.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<script>" not in answer.text
        assert "style=" not in answer.text
        assert " onclick=" not in answer.text


async def test_signing_in_leads_nowhere_else(running: stack.Stack) -> None:
    async with httpx.AsyncClient(base_url=running.base_url, trust_env=False) as http:
        for next_ in ("https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"):
            answer = await http.post("/sign-in", data={"key": running.admin_key, "next": next_})
            assert answer.headers["location"] == "/"
            http.cookies.clear()


async def test_what_is_not_there_is_a_page_that_says_so(person: httpx.AsyncClient) -> None:
    answer = await person.get("/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde")
    assert answer.status_code == 404
    assert "Nothing here" in answer.text
