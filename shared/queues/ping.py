"""Whether Redis answers."""

from redis import asyncio as redis


async def ping(url: str, seconds: float) -> None:
    """Raise unless Redis answers within `seconds`. Opens and closes a connection of its own."""
    client = redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)
    try:
        await client.ping()
    finally:
        await client.aclose()
