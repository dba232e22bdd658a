"""Every adapter by name, and the adapters of this deployment with their keys."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urljoin

import aiohttp

from shared.domain import models
from shared.providers import (
    anthropic,
    base,
    black_forest_labs,
    comfyui,
    fal,
    google,
    kling,
    luma,
    minimax,
    openai_compatible,
    openrouter,
    replicate,
    runway,
    stability,
    together,
)
from shared.providers.sandbox import adapter as sandbox


class Maker(Protocol):
    """An adapter's class."""

    abilities: models.Abilities

    def __call__(self, connection: base.Connection) -> base.Adapter:
        """The adapter over a connection."""
        ...


ADAPTERS: Mapping[str, Maker] = {
    "anthropic": anthropic.AnthropicAdapter,
    "black_forest_labs": black_forest_labs.BlackForestLabsAdapter,
    "comfyui": comfyui.ComfyUIAdapter,
    "fal": fal.FalAdapter,
    "google": google.GoogleAdapter,
    "kling": kling.KlingAdapter,
    "luma": luma.LumaAdapter,
    "minimax": minimax.MiniMaxAdapter,
    "openai_compatible": openai_compatible.OpenAICompatibleAdapter,
    "openrouter": openrouter.OpenRouterAdapter,
    "replicate": replicate.ReplicateAdapter,
    "runway": runway.RunwayAdapter,
    "sandbox": sandbox.SandboxAdapter,
    "stability": stability.StabilityAdapter,
    "together": together.TogetherAdapter,
}
ABILITIES: Mapping[str, models.Abilities] = {name: maker.abilities for name, maker in ADAPTERS.items()}

SANDBOX_KEY = "sandbox-key"


class Registry:
    """Adapters for the providers of one catalog. An adapter is made once, and anew when the catalog was read again."""

    def __init__(
        self,
        urls: Mapping[str, str],
        keys: Mapping[str, Sequence[str]],
        client: aiohttp.ClientSession,
        fresh_client: aiohttp.ClientSession,
    ) -> None:
        self._urls = dict(urls)
        self._keys = {name: tuple(values) for name, values in keys.items()}
        self._client = client
        self._fresh_client = fresh_client
        self._made: dict[tuple[str, int], tuple[models.Provider, base.Adapter]] = {}

    def adapter(self, provider: models.Provider, credential: int) -> base.Adapter:
        """The adapter that speaks to this provider with its `credential`-th key."""
        known = self._made.get((provider.name, credential))
        if known is not None and known[0] is provider:
            return known[1]
        made = self._make(provider, credential)
        self._made[provider.name, credential] = (provider, made)
        return made

    def _make(self, provider: models.Provider, credential: int) -> base.Adapter:
        keys = self._keys_of(provider)
        connection = base.Connection(
            provider=provider,
            base_url=base_url(provider, self._urls),
            key=keys[credential % len(keys)] if keys else "",
            client=self._client,
            fresh_client=self._fresh_client,
        )
        return ADAPTERS[provider.adapter](connection)

    async def close(self) -> None:
        """Close the connections to all providers. May be repeated."""
        await self._client.close()
        await self._fresh_client.close()

    def _keys_of(self, provider: models.Provider) -> Sequence[str]:
        if provider.adapter == "sandbox":
            return self._keys.get(provider.name, (SANDBOX_KEY,))
        return self._keys.get(provider.name, ())


def base_url(provider: models.Provider, urls: Mapping[str, str]) -> str:
    """Where a provider is: a URL set for its name, or for its adapter, wins over the catalog's. A path in the
    catalog is taken from the adapter's URL (the sandbox's accounts).
    """
    if provider.base_url.startswith("/"):
        return urljoin(urls[provider.adapter], provider.base_url).rstrip("/")
    if provider.name in urls:
        return urls[provider.name].rstrip("/")
    return (urls.get(provider.adapter) or provider.base_url).rstrip("/")


def usable(catalog: models.Catalog, keyed: frozenset[str]) -> frozenset[str]:
    """The providers that can be asked: those that need no key, and those in `keyed`."""
    return frozenset(
        name
        for name, provider in catalog.providers.items()
        if not provider.needs_key or name in keyed or provider.adapter == "sandbox"
    )
