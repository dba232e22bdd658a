"""What the routes are given: built once by the composition root, and never looked up elsewhere."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Annotated

import fastapi
import prometheus_client

from api import auth
from shared import settings
from shared.catalog import shelf
from shared.db import engine
from shared.db import keys as key_rows
from shared.domain import models
from shared.outbound import targets
from shared.providers import registry
from shared.queues import hints, live, notices
from shared.queues import limits as rates
from shared.services import (
    acceptance,
    admission,
    callbacks,
    catalog,
    endpoints,
    events,
    groups,
    health,
    jobs,
    metrics,
    signing,
)
from shared.storage import bucket, objects
from shared.webhooks import sealing

CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's connections and settings."""

    settings: settings.Settings
    keys: auth.Keys
    counters: rates.Limits
    rules: acceptance.Rules
    key_changes: notices.Notices
    db: engine.Database
    looks: jobs.Looks
    store: objects.Objects
    catalogs: shelf.Shelf
    changes: live.Changes
    news: live.News
    hints: hints.Hints
    health: health.Health
    gauges: metrics.Gauges
    gauge_registry: prometheus_client.CollectorRegistry
    guard: targets.Guard
    keyring: signing.Keyring
    followers: events.Follower
    watch: endpoints.Watch
    callback_secrets: callbacks.Secrets
    callbacks: callbacks.Signer
    # Set when the process is asked to stop: held answers are given at once.
    stopping: asyncio.Event

    @property
    def catalog(self) -> models.Catalog:
        """The catalog as it is now. Take it once a request."""
        return self.catalogs.current

    def usable_providers(self, catalog: models.Catalog) -> frozenset[str]:
        """The providers that can be asked with the keys we have."""
        return registry.usable(catalog, frozenset(self.settings.provider_keys))

    def url(self, path: str) -> str:
        """An absolute URL on the base URL that callers use."""
        return self.settings.public_url.rstrip("/") + path

    async def start(self) -> None:
        """Begin what runs beside the requests. Needs no server to be up."""
        self.changes.start()
        self.news.start()
        self.hints.start()
        self.key_changes.start()
        self.watch.start()

    def reload_catalog(self) -> None:
        """Read the catalog again; a bad one is logged and the old one serves on. Blocks; never raises."""
        catalog.reload(self.catalogs)

    async def close(self) -> None:
        """Let go of everything. May be repeated."""
        self.stopping.set()
        hearers = (self.changes.close, self.news.close, self.hints.close, self.watch.close, self.key_changes.close)
        for close in (*hearers, self.counters.close, self.db.close):
            # A server that is away, or a client that loses a cancellation, must not hold up our end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await close()
        self.store.close()


def build(configured: settings.Settings) -> Parts:
    """The parts for these settings; connects to nothing yet. Raises ValueError for a short admin key, and
    CatalogError.
    """
    database_url, redis_url = configured.database_url.get_secret_value(), configured.redis_url.get_secret_value()
    db = engine.Database(database_url, configured.database_pool_size, "api", configured.public_url)
    store = objects.Objects(bucket.location_of(configured))
    watched = health.Health(db, store, redis_url)
    gauges = metrics.Gauges(db, watched)
    gauge_registry = prometheus_client.CollectorRegistry()
    gauge_registry.register(gauges)
    changes, stopping = live.Changes(redis_url), asyncio.Event()
    catalogs = shelf.Shelf(configured.catalog_path, registry.ABILITIES)
    counters = rates.Limits(redis_url)
    keys = auth.Keys(configured.admin_key.get_secret_value(), db, counters, configured.bad_keys_per_minute)
    return Parts(
        settings=configured,
        keys=keys,
        counters=counters,
        rules=_rules(configured, db),
        key_changes=notices.Notices(database_url, key_rows.CHANNEL, keys.forget),
        db=db,
        looks=jobs.Looks(db),
        store=store,
        catalogs=catalogs,
        changes=changes,
        news=live.News(redis_url),
        hints=hints.Hints(database_url),
        health=watched,
        gauges=gauges,
        gauge_registry=gauge_registry,
        guard=targets.configured_guard(configured),
        keyring=signing.Keyring(sealing.Sealer(configured.secret_key.get_secret_value())),
        followers=events.Follower(db, changes, stopping),
        watch=endpoints.Watch(db, _provider_keys(configured), lambda: catalog.reload(catalogs)),
        callbacks=callbacks.signer(configured),
        callback_secrets=_callback_secrets(configured, catalogs),
        stopping=stopping,
    )


def _provider_keys(configured: settings.Settings) -> dict[str, list[str]]:
    return {name: [key.get_secret_value() for key in values] for name, values in configured.provider_keys.items()}


def _rules(configured: settings.Settings, db: engine.Database) -> acceptance.Rules:
    return acceptance.Rules(
        default_deadline_seconds=configured.default_deadline_seconds,
        retention_seconds=configured.output_retention_seconds,
        gate=admission.Admission(configured.max_queue_length, configured.max_queue_age_seconds),
        guard=targets.configured_guard(configured),
        together=groups.Groups(db),
    )


async def of(request: fastapi.Request) -> Parts:
    """The parts of the app that serves this request."""
    found: Parts = request.app.state.parts
    return found


Given = Annotated[Parts, fastapi.Depends(of)]


def _callback_secrets(configured: settings.Settings, catalogs: shelf.Shelf) -> callbacks.Secrets:
    given = configured.callback_secrets
    return callbacks.Secrets(
        {name: [value.get_secret_value() for value in values] for name, values in given.items()},
        lambda name: provider.adapter if (provider := catalogs.current.providers.get(name)) else None,
    )
