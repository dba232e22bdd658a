"""Whether Redis answers."""

from dataclasses import dataclass

from redis import asyncio as redis


async def ping(url: str, seconds: float) -> None:
    """Raise unless Redis answers within `seconds`. Opens and closes a connection of its own."""
    client = redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)
    try:
        await client.ping()
    finally:
        await client.aclose()


@dataclass(frozen=True, slots=True)
class Broker:
    """What matters of a Redis that carries doorbells."""

    version: str
    eviction: str
    append_only: bool


async def inspect(url: str, seconds: float) -> Broker:
    """Ask Redis what it is. Raises what the client raises."""
    client = redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)
    try:
        told = await client.info()
        return Broker(
            version=str(told["redis_version"]),
            eviction=str(told.get("maxmemory_policy", "unknown")),
            append_only=bool(told.get("aof_enabled")),
        )
    finally:
        await client.aclose()
