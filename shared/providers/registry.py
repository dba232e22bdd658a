"""Every adapter by name, and the adapters of this deployment with their keys."""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urljoin

import httpx

from shared.domain import models
from shared.providers import base
from shared.providers.sandbox import adapter as sandbox

ADAPTERS: Mapping[str, Callable[[base.Connection], base.Adapter]] = {"sandbox": sandbox.SandboxAdapter}

SANDBOX_KEY = "sandbox-key"


class Registry:
    """Adapters for the providers of one catalog. Built again when the catalog is."""

    def __init__(
        self,
        urls: Mapping[str, str],
        keys: Mapping[str, Sequence[str]],
        client: httpx.AsyncClient,
        fresh_client: httpx.AsyncClient,
    ) -> None:
        self._urls = dict(urls)
        self._keys = {name: tuple(values) for name, values in keys.items()}
        self._client = client
        self._fresh_client = fresh_client

    def adapter(self, provider: models.Provider, credential: int) -> base.Adapter:
        """The adapter that speaks to this provider with its `credential`-th key."""
        keys = self._keys_of(provider)
        connection = base.Connection(
            provider=provider,
            base_url=base_url(provider, self._urls),
            key=keys[credential % len(keys)] if keys else "",
            client=self._client,
            fresh_client=self._fresh_client,
        )
        return ADAPTERS[provider.adapter](connection)

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
