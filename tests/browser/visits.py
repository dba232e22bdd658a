"""One browser window at the dashboard, and everything it complained about."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright import async_api as playwright

AXE = Path(__file__).with_name("axe.min.js")
SHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
SERIOUS = ("serious", "critical")


class Visit:
    """One browser window, and everything it complained about."""

    def __init__(self, page: playwright.Page, base_url: str, key: str) -> None:
        self.page, self.base_url, self.key = page, base_url, key
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note)

    def _hear(self, message: playwright.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _note(self, request: playwright.Request) -> None:
        if not request.url.startswith((self.base_url, "data:", "blob:")):
            self.strangers.append(request.url)

    async def open(self, path: str) -> None:
        await self.page.goto(self.base_url + path)

    async def sign_in(self, path: str = "/") -> None:
        await self.open(path)
        await self.page.get_by_label("Key").fill(self.key)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()

    async def faults(self) -> list[str]:
        """What axe-core finds serious on the page as it stands."""
        # Evaluated by the driver, so the page's own policy stays as strict as it is.
        await self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{fault['id']}: {fault['help']} ({fault['nodes'][0]['html'][:200]})"
            for fault in found["violations"]
            if fault["impact"] in SERIOUS
        ]

    async def shoot(self, name: str) -> None:
        """A picture for the documents, with ids and times that do not matter left as they are."""
        await self.page.screenshot(path=SHOTS / f"{name}.png", animations="disabled")

    @property
    def path(self) -> str:
        return re.sub(r"^https?://[^/]+", "", self.page.url)


Open = Callable[..., Awaitable[Visit]]
