"""Receivers and deliveries in the browser, with a real receiver on the other side."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright import async_api as playwright

from cli import client
from tests.browser import visits
from tests.integration.webhooks import desk


@pytest.fixture
async def receiver() -> AsyncIterator[desk.Desk]:
    async with desk.opened() as made:
        yield made


async def add(window: visits.Visit, url: str) -> None:
    await window.sign_in("/webhooks")
    await window.page.get_by_text("Add a receiver").click()
    await window.page.get_by_label("URL").fill(url)
    await window.page.get_by_role("button", name="Add", exact=True).click()


async def test_a_receiver_is_added_told_asked_again_and_checked(visit: visits.Open, receiver: desk.Desk) -> None:
    window = await visit()
    page = window.page
    await add(window, receiver.url())
    await page.wait_for_url(re.compile("/webhooks/rcv_"))
    assert await window.faults() == []
    detail = page.url
    await page.get_by_role("button", name="Send a test").click()
    await page.locator(".badge.completed").first.wait_for()
    await page.get_by_role("button", name="Send again").click()
    await receiver.until(2)
    first, second = receiver.good[:2]
    assert (first.event_id, first.body) == (second.event_id, second.body)
    await page.goto(detail)
    headers = "\n".join(f"{name}: {value}" for name, value in first.headers.items() if name.startswith("webhook-"))
    await page.get_by_label("The headers your server got").fill(headers)
    await page.get_by_label("The body, exactly").fill(first.body.decode())
    await page.get_by_role("button", name="Check").click()
    await page.get_by_text("It verifies.").wait_for()
    await page.get_by_label("The body, exactly").fill(first.body.decode() + " ")
    await page.get_by_role("button", name="Check").click()
    await page.locator("#check .fault").first.wait_for()
    await remove(window)


async def remove(window: visits.Visit) -> None:
    window.page.once("dialog", lambda dialog: dialog.accept())
    await window.page.get_by_role("button", name="Delete").click()
    await window.page.get_by_text("The receiver is deleted.").wait_for()


async def test_a_job_shows_whom_it_told_and_what_was_answered(
    visit: visits.Open, receiver: desk.Desk, api: client.Client
) -> None:
    body = {"model": "sandbox/image", "prompt": "a heron", "webhook_url": receiver.url("/told")}
    job = await api.submit("image", body)
    _ = [item async for item in api.follow(job["id"])]
    await receiver.until(1)
    window = await visit()
    await window.sign_in(f"/jobs/{job['id']}")
    deliveries = window.page.locator(".card", has=window.page.get_by_role("heading", name="Deliveries"))
    await playwright.expect(deliveries).to_contain_text("job.completed")
    await playwright.expect(deliveries).to_contain_text("/told")


@pytest.mark.parametrize("url", ["https://192.0.2.1/hook", "https://169.254.169.254/latest", "https://10.0.0.8/hook"])
async def test_a_receiver_that_is_not_public_is_refused(visit: visits.Open, url: str) -> None:
    window = await visit()
    await add(window, url)
    await playwright.expect(window.page.get_by_role("alert")).to_contain_text("private, local or reserved")
    window.complaints.clear()  # the browser itself notes the 400


async def test_the_form_of_a_job_refuses_a_webhook_url_as_the_api_does(visit: visits.Open) -> None:
    window = await visit()
    await window.sign_in("/new?kind=image")
    page = window.page
    await page.get_by_label("Prompt").fill("a heron that is never made")
    await page.get_by_text("Metadata and more").click()
    await page.locator("textarea[name=extra]").fill('{"webhook_url": "https://169.254.169.254/latest"}')
    await page.get_by_role("button", name="Make it").click()
    await playwright.expect(page.get_by_role("alert")).to_contain_text("private, local or reserved")
    window.complaints.clear()  # the browser itself notes the 400
    await window.open("/")
    assert "a heron that is never made" not in await page.content()
