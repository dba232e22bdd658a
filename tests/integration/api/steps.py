"""The shapes of the fixtures: what a test may ask them to do."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import httpx

from shared import settings
from shared.domain import outputs

Count = Callable[[], Awaitable[int]]
Change = Callable[..., Awaitable[None]]
Submit = Callable[..., Awaitable[str]]
Finish = Callable[..., Awaitable[outputs.Output]]
Serve = Callable[[settings.Settings], AbstractAsyncContextManager[httpx.AsyncClient]]
