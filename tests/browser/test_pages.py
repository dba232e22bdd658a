"""Every page in light and dark: no serious fault of accessibility, no console error, nothing from another host."""

import pytest

from cli import client
from tests.browser import visits

PAGES = ["/", "/new", "/new?kind=image", "/new?kind=text", "/models", "/system"]
PROMPTS = {
    "video": "A paper boat drifts down a rainy street, close to the water",
    "image": "A heron in morning mist, soft light, long lens",
    "text": "Three rivers of Europe, one sentence each",
}


@pytest.fixture(scope="session")
async def made(api: client.Client) -> dict[str, str]:
    """One finished job of each kind, and one that failed and fell back."""
    jobs = {}
    for kind, prompt in PROMPTS.items():
        jobs[kind] = (await api.submit(kind, {"model": f"sandbox/{kind}", "prompt": prompt}))["id"]
    fallback = {"model": "sandbox/video-refuse", "prompt": "A lighthouse in a storm", "metadata": {"order": "17"}}
    jobs["refused"] = (await api.submit("video", fallback))["id"]
    for job_id in jobs.values():
        _ = [job async for job in api.follow(job_id)]
    return jobs


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_has_a_serious_fault(visit: visits.Open, made: dict[str, str], scheme: str) -> None:
    window = await visit(scheme=scheme)
    await window.open("/")
    found = {"sign-in": await window.faults()}
    await window.sign_in()
    compared = "&".join(f"job={job_id}" for job_id in list(made.values())[:2])
    for path in [*PAGES, *(f"/jobs/{job_id}" for job_id in made.values()), f"/compare?{compared}"]:
        await window.open(path)
        await window.page.wait_for_load_state("networkidle")
        found[path] = await window.faults()
    assert {path: faults for path, faults in found.items() if faults} == {}


async def test_a_narrow_window_shows_everything_without_scrolling_sideways(
    visit: visits.Open, made: dict[str, str]
) -> None:
    window = await visit(width=390)
    await window.sign_in()
    for path in [*PAGES, *(f"/jobs/{job_id}" for job_id in made.values())]:
        await window.open(path)
        assert await window.page.evaluate("document.documentElement.scrollWidth") <= 390, path


@pytest.mark.parametrize(("name", "path"), [("jobs", "/"), ("models", "/models"), ("system", "/system")])
async def test_pictures_for_the_documents(visit: visits.Open, made: dict[str, str], name: str, path: str) -> None:
    window = await visit()
    await window.sign_in(path)
    await window.page.wait_for_load_state("networkidle")
    await window.shoot(name)
    await window.page.emulate_media(color_scheme="dark")
    if name == "jobs":
        await window.shoot("jobs-dark")
