"""What people do in the dashboard, done by a browser."""

import re

from playwright import async_api as playwright

from cli import client
from tests.browser import visits

PLAYS = """v => new Promise((done, fail) => {
  v.addEventListener("timeupdate", () => v.currentTime > 0.2 && done(v.currentTime));
  v.muted = true;
  v.play().catch(fail);
})"""
STOPS_AT_ONE = """v => new Promise(done => {
  v.pause();
  v.addEventListener("seeked", done, {once: true});
  v.currentTime = 1;
})"""
PROMPT = "a lighthouse at dusk, waves below"


async def test_a_key_lets_in_and_a_wrong_one_does_not(visit: visits.Open) -> None:
    window = await visit()
    await window.open("/system")
    await window.page.get_by_label("Key").fill("a-wrong-key-of-some-length")
    await window.page.get_by_role("button", name="Sign in").click()
    await window.page.get_by_role("alert").wait_for()
    assert "not known" in await window.page.get_by_role("alert").inner_text()
    # The browser itself notes the 401.
    window.complaints.clear()
    await window.sign_in("/system")
    assert window.path == "/system"
    await window.page.get_by_role("button", name="Sign out").click()
    await window.page.get_by_label("Key").wait_for()
    await window.open("/")
    assert await window.page.get_by_label("Key").count() == 1


async def test_from_the_form_to_the_playing_video(visit: visits.Open) -> None:
    window = await visit()
    await window.sign_in("/new")
    page = window.page
    await page.get_by_label("Prompt").fill(PROMPT)
    await page.get_by_label("Duration (seconds)").select_option("2")
    await page.locator("#price strong").get_by_text("$0.10").wait_for()
    await window.shoot("new")
    await page.get_by_role("button", name="Make it").click()
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    video = page.locator("video")
    await video.wait_for()
    # Playing means that time passes in it.
    assert await video.evaluate(PLAYS) > 0.2
    assert await video.evaluate("v => Math.round(v.duration)") == 2
    await video.evaluate(STOPS_AT_ONE)
    await window.shoot("job")
    assert "Completed" in await page.locator(".timeline").inner_text()
    await page.get_by_role("link", name="Edit and run").click()
    assert await page.get_by_label("Prompt").input_value() == PROMPT
    assert await page.get_by_label("Duration (seconds)").input_value() == "2"


async def test_the_list_filters_while_one_types_and_acts_on_many(visit: visits.Open, api: client.Client) -> None:
    for order in ("17", "18"):
        await api.submit("video", {"model": "sandbox/video-slow", "prompt": "x", "metadata": {"order": order}})
    window = await visit()
    await window.sign_in()
    page = window.page
    await page.get_by_label("Metadata").fill("order=18")
    await playwright.expect(page.locator("tbody tr")).to_have_count(1)
    assert "metadata=order%3D18" in window.path
    await page.locator("tbody input[name=job]").check()
    await page.get_by_text("1 job marked").wait_for()
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_text("cancel: 1 of 1").wait_for()
    await page.locator(".badge.cancelled").first.wait_for()
    await page.get_by_label("Metadata").fill("order=17")
    await playwright.expect(page.locator("tbody")).to_contain_text("order=17")
    assert await page.locator(".badge.cancelled").count() == 0


async def test_models_are_compared_side_by_side(visit: visits.Open) -> None:
    window = await visit()
    await window.sign_in("/new?kind=image")
    page = window.page
    await page.get_by_label("Prompt").fill("a heron")
    await page.get_by_text("Compare with other models").click()
    await page.get_by_label("sandbox/image-instant", exact=True).check()
    await page.get_by_label("sandbox/image-refuse", exact=True).check()
    await playwright.expect(page.locator("#price li")).to_have_count(3)
    await page.get_by_role("button", name="Make it").click()
    await page.wait_for_url(re.compile(r"/compare"))
    await playwright.expect(page.locator("article")).to_have_count(3)
    await playwright.expect(page.locator("article img")).to_have_count(2)
    await page.get_by_text("content_policy").first.wait_for()


async def test_a_fault_in_the_form_names_the_field_and_keeps_what_was_typed(visit: visits.Open) -> None:
    window = await visit()
    await window.sign_in("/new")
    page = window.page
    await page.get_by_label("Prompt").fill(PROMPT)
    await page.get_by_label("Resolution").select_option("480p")
    await page.locator("select[name=size]").select_option("1280x720")
    await page.get_by_role("button", name="Make it").click()
    await page.get_by_role("alert").wait_for()
    assert await page.get_by_label("Prompt").input_value() == PROMPT
    window.complaints.clear()  # the browser itself notes the 400


async def test_text_of_others_stays_text(visit: visits.Open, api: client.Client) -> None:
    evil = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    receipt = await api.submit("image", {"model": "sandbox/image", "prompt": evil, "metadata": {"<b>": evil[:60]}})
    window = await visit()
    await window.sign_in()
    await window.page.get_by_text("<script>").first.wait_for()
    await window.open(f"/jobs/{receipt['id']}")
    await window.page.get_by_text("<script>").first.wait_for()
    assert "owned" not in await window.page.title()


async def test_everything_can_be_reached_by_keyboard(visit: visits.Open) -> None:
    window = await visit()
    await window.open("/")
    await window.page.keyboard.type(window.key)
    await window.page.keyboard.press("Enter")
    await window.page.get_by_role("button", name="Sign out").wait_for()
    await window.page.keyboard.press("Tab")
    assert await window.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    await window.page.keyboard.press("Enter")
    assert await window.page.evaluate("document.activeElement.id") == "main"
