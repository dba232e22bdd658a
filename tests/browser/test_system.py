"""What an operator sees when things go wrong, and does about it."""

import re

from playwright import async_api as playwright

from cli import client
from tests.browser import visits

DOUBTFUL = "sandbox/image-cut-always-plain"


async def test_what_is_in_doubt_is_listed_and_can_be_run_again(visit: visits.Open, api: client.Client) -> None:
    job = await api.submit("image", {"model": DOUBTFUL, "prompt": "a heron", "on_doubt": "fail"})
    _ = [item async for item in api.follow(job["id"])]
    window = await visit()
    await window.sign_in("/system")
    page = window.page
    await playwright.expect(page.get_by_role("region", name="Attempts in doubt")).to_contain_text(job["id"][-8:])
    await playwright.expect(page.get_by_role("region", name="Endpoints")).to_contain_text(f"{DOUBTFUL}@sandbox-plain")
    assert await window.faults() == []
    page.once("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name=f"Run again {job['id']}").click()
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    assert (await api.job(page.url.rpartition("/")[2]))["rerun_of"] == job["id"]


async def test_the_past_day_of_an_endpoint_is_drawn(visit: visits.Open, api: client.Client) -> None:
    job = await api.submit("image", {"model": "sandbox/image", "prompt": "a heron"})
    _ = [item async for item in api.follow(job["id"])]
    window = await visit()
    await window.sign_in("/models")
    drawn = window.page.locator(".model", has=window.page.get_by_role("heading", name="sandbox/image", exact=True))
    await drawn.get_by_role("img", name=re.compile(r"The last 24 hours: [1-9]\d* asks")).wait_for()
