"""Receivers and deliveries in the browser."""

from playwright import async_api as playwright

from tests.browser import visits


async def test_a_receiver_is_tested_and_why_it_failed_is_shown(visit: visits.Open) -> None:
    window = await visit()
    await window.sign_in("/webhooks")
    page = window.page
    await page.get_by_text("Add a receiver").click()
    # A name reserved for what does not exist; nothing is ever sent to it.
    await page.get_by_label("URL").fill("https://192.0.2.1/hook")
    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("alert").wait_for()
    window.complaints.clear()  # the browser itself notes the 400
    assert "192.0.2.1" in await page.content() or "address" in await page.content()
    await window.open("/webhooks")
    await playwright.expect(page.get_by_text("Nobody is told of events yet.")).to_be_visible()
