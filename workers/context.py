"""What every task of a worker process needs, made once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from shared import ids, settings
from shared.catalog import shelf
from shared.db import engine
from shared.domain import models, receivers
from shared.outbound import clients, downloads, posts, targets
from shared.providers import absent, base, measured, registry
from shared.queues import hints, live
from shared.services import callbacks, capacity, endpoints, signing
from shared.services import catalog as catalog_services
from shared.storage import bucket, objects
from shared.webhooks import sealing
from workers import courier, hand, lease

Hand = hand.Hand


@dataclass(frozen=True, slots=True)
class Context:
    """The adapters of one process. `process_id` is who holds its claims."""

    process_id: str
    settings: settings.Settings
    db: engine.Database
    store: objects.Objects
    shelf: shelf.Shelf
    registry: registry.Registry
    downloader: downloads.Downloader
    guard: targets.Guard
    hints: hints.Hints
    news: live.News
    courier: courier.Courier
    hand: hand.Hand
    # Not `hand.Hand`: in this class, the field above has that name now.
    slice_hand: "Hand"
    # How many jobs, and how many slices of batches, are under work at once.
    room: asyncio.Semaphore
    slots: asyncio.Semaphore
    lease: lease.Lease
    watch: endpoints.Watch
    capacity: capacity.Capacity
    callbacks: callbacks.Signer
    stopping: asyncio.Event

    def adapter(self, provider: str, credential: int) -> base.Adapter:
        """The adapter for a provider by name, with one of its keys."""
        entry = self.shelf.current.providers.get(provider)
        if entry is None:
            return absent.AbsentAdapter()
        return measured.MeasuredAdapter(self.registry.adapter(entry, credential), provider)

    async def wake_courier(self) -> None:
        """Have the courier look for what is due; on the loop, as it is not made for threads."""
        if not self.stopping.is_set():
            self.courier.wake()

    def usable_providers(self) -> frozenset[str]:
        """The providers this deployment has keys for."""
        return registry.usable(self.shelf.current, frozenset(self.settings.provider_keys))

    def reload_catalog(self) -> None:
        """Read the catalog again; a bad one is logged and the old one serves on. Blocks; never raises."""
        catalog_services.reload(self.shelf, self._trust)

    async def close(self) -> None:
        """Close every connection; the courier has its own end, before the claims are given back."""
        await self.hints.close()
        await self.news.close()
        await self.watch.close()
        await self.capacity.close()
        await self.registry.close()
        await self.downloader.close()
        await self.db.close()
        self.store.close()

    def _trust(self, catalog: models.Catalog) -> None:
        self.downloader.trust(_origins(catalog, provider_urls(self.settings)))


def open_context(configured: settings.Settings) -> Context:
    """Build the adapters; needs a running loop. Raises CatalogError for a catalog that cannot be read."""
    url = configured.database_url.get_secret_value()
    redis_url = configured.redis_url.get_secret_value()
    catalog = shelf.Shelf(configured.catalog_path, registry.ABILITIES)
    urls = provider_urls(configured)
    keys = {name: [key.get_secret_value() for key in values] for name, values in configured.provider_keys.items()}
    guard = targets.configured_guard(configured)
    process_id = ids.new(ids.Prefix.PROCESS)
    db = engine.Database(url, configured.database_pool_size, "worker", configured.public_url)
    opened = Context(
        process_id=process_id,
        settings=configured,
        db=db,
        store=objects.Objects(bucket.location_of(configured)),
        shelf=catalog,
        registry=registry.Registry(urls, keys, clients.provider_session(), clients.provider_session(keep_alive=False)),
        downloader=downloads.Downloader(_origins(catalog.current, urls), guard),
        guard=guard,
        hints=hints.Hints(url),
        news=live.News(redis_url),
        courier=_courier(configured, db, guard, process_id),
        hand=hand.Hand(),
        slice_hand=hand.Hand(),
        room=asyncio.Semaphore(configured.worker_threads),
        slots=asyncio.Semaphore(configured.worker_slices),
        lease=lease.Lease(configured.lease_seconds),
        watch=endpoints.Watch(db, keys, lambda: opened.reload_catalog()),  # noqa: PLW0108 - it is made here
        capacity=capacity.Capacity(db, redis_url),
        callbacks=callbacks.signer(configured),
        stopping=asyncio.Event(),
    )
    opened.hints.start()
    opened.news.start()
    opened.courier.start()
    opened.watch.start()
    return opened


def provider_urls(configured: settings.Settings) -> dict[str, str]:
    """Base URLs by provider or adapter, over those in the catalog."""
    return {"sandbox": configured.sandbox_url} | configured.provider_urls


def _origins(catalog: models.Catalog, urls: Mapping[str, str]) -> frozenset[str]:
    """Where the operator's own providers are: results may be fetched there whatever the address."""
    return frozenset(downloads.origin(registry.base_url(provider, urls)) for provider in catalog.providers.values())


def _courier(
    configured: settings.Settings, db: engine.Database, guard: targets.Guard, process_id: str
) -> courier.Courier:
    rules = courier.Rules(
        retry_seconds=tuple(configured.webhook_retry_seconds),
        limits=receivers.Limits(in_flight=configured.webhook_concurrency),
    )
    keyring = signing.Keyring(sealing.Sealer(configured.secret_key.get_secret_value()))
    poster = posts.Poster(guard, total_seconds=configured.webhook_timeout_seconds)
    return courier.Courier(db, keyring, poster, process_id, rules)
