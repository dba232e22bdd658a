"""Keys: made in the browser, tried in another, and what one tenant may not see of another."""

import re

from cli import client
from tests.browser import visits


async def made_key(window: visits.Visit, name: str, *scopes: str) -> str:
    """A key made with the form; its secret is shown this once."""
    page = window.page
    await window.open("/keys")
    if not await page.get_by_label("Name").is_visible():
        await page.get_by_text("Make a key", exact=True).click()
    await page.get_by_label("Name").fill(name)
    for scope in ("submit", "read", "manage", "admin"):
        box = page.locator(f"#new-key input[value={scope}]")
        await box.set_checked(scope in scopes, force=True)
    await page.get_by_role("button", name="Make it").click()
    secret: str = await page.locator("#secret").inner_text()
    return secret


async def test_a_key_that_may_only_read_is_offered_nothing_more(visit: visits.Open, api: client.Client) -> None:
    admin = await visit()
    await admin.sign_in()
    reader = await visit()
    reader.key = await made_key(admin, "reader", "read")
    job = await api.submit("image", {"model": "sandbox/image", "prompt": "x"})
    await reader.sign_in(f"/jobs/{job['id']}")
    assert await reader.page.get_by_role("button", name=re.compile("Cancel|Run again|Delete")).count() == 0
    assert await reader.page.get_by_role("link", name="System").count() == 0
    await reader.open("/keys")
    await reader.page.get_by_text("Not with this key").wait_for()
    reader.complaints.clear()  # the browser itself notes the 403


async def test_a_foreign_key_sees_nothing(visit: visits.Open, api: client.Client) -> None:
    job = await api.submit("image", {"model": "sandbox/image", "prompt": "a secret heron"})
    _ = [item async for item in api.follow(job["id"])]
    tenant = await api.post("/v1/tenants", {"name": "elsewhere"})
    body = {"name": "theirs", "tenant_id": tenant["id"], "scopes": ["submit", "read", "manage", "admin"]}
    theirs = await visit()
    theirs.key = (await api.post("/v1/keys", body))["secret"]
    await theirs.sign_in()
    await theirs.page.get_by_text("No jobs yet").wait_for()
    for path in (f"/jobs/{job['id']}", f"/compare?job={job['id']}", f"/new?source={job['id']}", "/system"):
        await theirs.open(path)
        await theirs.page.get_by_text(re.compile("Nothing here|Not with this key")).wait_for()
        assert "secret heron" not in await theirs.page.content()
    output = await theirs.page.request.get(f"{theirs.base_url}/jobs/{job['id']}/outputs/0")
    assert output.status == 404
    theirs.complaints.clear()  # the browser itself notes the 404s


async def test_a_key_that_is_disabled_is_signed_out_at_once(visit: visits.Open, api: client.Client) -> None:
    made = await api.post("/v1/keys", {"name": "short-lived", "scopes": ["read"]})
    window = await visit()
    window.key = made["secret"]
    await window.sign_in()
    answer = await window.page.request.get(f"{window.base_url}/")
    assert "Sign out" in await answer.text()
    admin = await visit()
    await admin.sign_in("/keys")
    admin.page.on("dialog", lambda dialog: dialog.accept())
    await admin.page.get_by_role("button", name="Disable short-lived").click()
    await admin.page.locator("tr", has_text="short-lived").get_by_text("disabled").wait_for()
    await window.page.get_by_label("Key").wait_for()
    window.complaints.clear()  # the browser itself notes the 401
