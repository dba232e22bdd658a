"""A real Chromium at the dashboard of a whole local stack."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright import async_api as playwright

from cli import client
from cli.stack import stack
from tests.browser import visits

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SENTENCE = "No Chromium on this machine; install Debian's `chromium` to run the browser tests."
# It looks nothing up and updates nothing: the tests open one page, on loopback.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
WAIT_MILLISECONDS = 30_000
# A receiver of the tests' own, on this machine: nothing else that is private is let in.
LOCAL = {
    "GENQUEUE_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    "GENQUEUE_ALLOWED_LOCAL_NETWORKS": '["127.0.0.0/8"]',
    "GENQUEUE_ALLOW_PLAIN_HTTP": "true",
    "GENQUEUE_OUTBOUND_PORTS": "[]",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser these tests are skipped by name; in CI its absence is a failure."""
    if CHROMIUM or os.environ.get("CI") == "true":
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=SENTENCE))


@pytest.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp("browser") / "data"
    async with stack.Stack(data_dir=folder, usual_ports=False, temporary=True, environ=LOCAL) as local:
        yield local


@pytest.fixture(scope="session")
async def api(running: stack.Stack) -> AsyncIterator[client.Client]:
    async with client.Client(running.base_url, running.admin_key) as opened:
        yield opened


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[playwright.Browser]:
    assert CHROMIUM, SENTENCE
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest.fixture
async def visit(chromium: playwright.Browser, running: stack.Stack) -> AsyncIterator[visits.Open]:
    """Opens a window; at the end of the test no console error and no request to another host may have been seen."""
    opened: list[visits.Visit] = []
    contexts: list[playwright.BrowserContext] = []

    async def window(scheme: Literal["light", "dark"] = "light", width: int = 1280) -> visits.Visit:
        context = await chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        context.set_default_timeout(WAIT_MILLISECONDS)
        contexts.append(context)
        opened.append(visits.Visit(await context.new_page(), running.base_url, running.admin_key))
        return opened[-1]

    yield window
    for context in contexts:
        await context.close()
    assert [line for one in opened for line in one.complaints] == []
    assert [url for one in opened for url in one.strangers] == []
