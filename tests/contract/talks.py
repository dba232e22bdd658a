"""One adapter and the provider it speaks to."""

import time
from dataclasses import dataclass

import aiohttp

from shared.domain import outputs
from shared.outbound import downloads, targets
from shared.providers import base, registry
from tests.contract import asks
from tests.contract.servers import upstream

DEADLINE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Talk:
    """What a test needs to say to a provider and hear from it."""

    up: upstream.Upstream
    offer: upstream.Offer
    client: aiohttp.ClientSession
    fresh_client: aiohttp.ClientSession

    @property
    def dialect(self) -> upstream.Dialect:
        return self.up.dialect

    @property
    def fields(self) -> frozenset[str]:
        return registry.ABILITIES[self.dialect.name].fields[self.offer.kind] - self.offer.leaves_out

    def adapter(self, key: str | None = None, url: str | None = None) -> base.Adapter:
        connection = base.Connection(
            provider=asks.provider(self.dialect),
            base_url=(url or self.up.url) + self.dialect.base_path,
            key=self.dialect.key if key is None else key,
            client=self.client,
            fresh_client=self.fresh_client,
        )
        return registry.ADAPTERS[self.dialect.name](connection)

    def ask(self, course: upstream.Course = upstream.Course.WELL, model: str | None = None) -> base.Ask:
        self.up.course = course
        return asks.make(self.dialect, self.offer, self.fields, course, model)

    async def accepted(self, course: upstream.Course = upstream.Course.WELL) -> str:
        """The id of a job that was taken on."""
        outcome = await self.adapter().submit(self.ask(course))
        assert isinstance(outcome, base.Accepted), outcome
        return outcome.upstream_id

    async def ended(self, upstream_id: str) -> tuple[list[base.Running], base.Finished | base.Failed]:
        """Everything heard until the job was over."""
        heard: list[base.Running] = []
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            outcome = await self.adapter().poll(upstream_id)
            if isinstance(outcome, base.Finished | base.Failed):
                return heard, outcome
            assert isinstance(outcome, base.Running), outcome
            heard.append(outcome)
        raise AssertionError(f"not over after {DEADLINE_SECONDS} s")

    async def fetched(self, source: outputs.Source) -> bytes:
        """The bytes of a source, as the collecting worker gets them."""
        if source.url is None:
            return source.body if source.body is not None else (source.text or "").encode()
        downloader = downloads.Downloader(frozenset({downloads.origin(self.up.url)}), targets.STRICTEST)
        try:
            async with downloader.fetch(source.url, self.adapter().download_headers(source.url)) as download:
                return b"".join([chunk async for chunk in download.chunks])
        finally:
            await downloader.close()
