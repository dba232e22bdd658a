"""The three servers of the local stack: one shape, and how each is made for a data folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cli.stack import children, folders, installs, ports, postgres, redis, s3


class Server(Protocol):
    """What the stack needs to know of a server."""

    @property
    def name(self) -> str:
        """Its name in logs, `pids` and `restart`."""

    @property
    def public_url(self) -> str:
        """Its URL without secrets."""

    def environment(self) -> dict[str, str]:
        """The settings our processes need to reach it."""

    async def prepare(self, run: postgres.Run) -> None:
        """Makes its folder, data and settings where they are missing. May be repeated."""

    def command(self) -> children.Command:
        """What to run."""

    def tidy(self) -> None:
        """Removes what it left outside its folder; called when it has stopped."""

    async def ready(self) -> bool:
        """Whether it serves us; may also raise while it does not."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`setting` is the variable that, when set, says that such a server exists already."""

    make: Callable[[folders.DataFolder, ports.Ports], Server]
    port_names: tuple[str, ...]
    setting: str


def _postgres(folder: folders.DataFolder, chosen: ports.Ports) -> Server:
    place, account = installs.place(folder.path)
    return postgres.Postgres(place, chosen.choose("postgres", 5432), folder.secret("postgres"), account)


def _redis(folder: folders.DataFolder, chosen: ports.Ports) -> Server:
    return redis.Redis(folder.path / "redis", chosen.choose("redis", 6379), folder.secret("redis"))


def _s3(folder: folders.DataFolder, chosen: ports.Ports) -> Server:
    return s3.S3(
        folder=folder.path / "s3",
        flag_ports=s3.choose_ports(chosen),
        access_key_id=folder.secret("s3-access-key-id")[:20],
        secret_access_key=folder.secret("s3-secret-access-key"),
        bucket=f"genqueue-{folder.secret('s3-bucket')[:8]}",
    )


KINDS: Mapping[str, Kind] = {
    "postgres": Kind(_postgres, ("postgres",), "GENQUEUE_DATABASE_URL"),
    "redis": Kind(_redis, ("redis",), "GENQUEUE_REDIS_URL"),
    "s3": Kind(_s3, tuple(s3.USUAL_PORTS), "GENQUEUE_S3_ENDPOINT_URL"),
}
