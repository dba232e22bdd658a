"""As root, Postgres runs under another account; as an ordinary user, everything runs as that user."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.stack import accounts, installs, stack

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to drop it or to add a user")
REPOSITORY = Path(__file__).parents[2]
# setpriv may still start what the user cannot: only the second start tells.
RUNS_ITSELF = "import subprocess, sys; from cli import up; subprocess.run([sys.executable, '-c', ''], check=True)"


@pytest.fixture
def plain_user() -> Iterator[pwd.struct_passwd]:
    name = f"gq{uuid.uuid4().hex[:10]}"
    if shutil.which("useradd") is None or shutil.which("setpriv") is None:
        pytest.skip("this machine has no useradd or no setpriv")
    subprocess.run(["useradd", "--no-create-home", name], check=True, capture_output=True)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", name], check=True, capture_output=True)


def become(user: pwd.struct_passwd) -> tuple[str, ...]:
    """The command prefix that runs this Python as the user.

    Root's Python often lives below /root, where the user cannot look; then, for want of another, the user
    may read (not write) everything. Nothing else of root's is left to it.
    """
    ids = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    reader = (*ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    for prefix in (ids, reader):
        asked = [*prefix, sys.executable, "-c", RUNS_ITSELF]
        tried = subprocess.run(asked, check=False, cwd=REPOSITORY, capture_output=True)
        if tried.returncode == 0:
            return (*prefix, sys.executable)
    pytest.skip("this Python lives where an ordinary user cannot run it, and CAP_DAC_READ_SEARCH is not ours to give")


@ROOT_ONLY
async def test_an_ordinary_user_can_run_it(
    plain_user: pwd.struct_passwd, hold: Callable[..., Any], gone: Callable[..., Any]
) -> None:
    home = Path(tempfile.mkdtemp(prefix="gq-user-"))
    os.chown(home, plain_user.pw_uid, plain_user.pw_gid)
    held = hold(
        home / "data",
        command=become(plain_user),
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(REPOSITORY)},
        cwd=home,
    )
    family = held.descendants()
    assert {process.uids().real for process in family} == {plain_user.pw_uid}
    await held.clients.put("hello", b"user")
    assert await held.clients.query("SELECT 1") == 1
    held.process.send_signal(signal.SIGTERM)
    assert held.process.wait(40) == 0
    await gone(family)
    shutil.rmtree(home)


@ROOT_ONLY
async def test_root_runs_postgres_under_another_account(servers: stack.Stack) -> None:
    family = psutil.Process(servers.pids["postgres"])
    uids = {process.uids() for process in [family, *family.children(recursive=True)]}
    assert not {uid for triple in uids for uid in triple} & {0}
    assert not os.getgrouplist(family.username(), 0)[1:] or family.gids().real != 0


@ROOT_ONLY
async def test_root_in_a_private_home_changes_no_permissions(tmp_path: Path, clients: Callable[..., Any]) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    async with stack.Stack(data_dir=home / "data", servers_only=True, usual_ports=False, temporary=True) as running:
        assert (home / "data" / "postgres").is_symlink()
        assert (home / "data" / "postgres").resolve().is_relative_to(installs.SYSTEM_FOLDER)
        assert await clients(running).query("SELECT 1") == 1
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


@ROOT_ONLY
async def test_root_with_binaries_in_a_private_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clients: Callable[..., Any]
) -> None:
    """A virtual environment below /root: Postgres' account cannot run what is in it, so it gets a copy."""
    private = tmp_path / "venv"
    private.mkdir(mode=0o700)
    package = Path(installs.binaries(None)).parents[1]
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, private / source.name, symlinks=True)
    system = Path(tempfile.mkdtemp(prefix="gq-system-", dir="/var/tmp"))
    monkeypatch.setattr(installs, "SYSTEM_FOLDER", system)
    monkeypatch.syspath_prepend(str(private))
    async with stack.Stack(data_dir=tmp_path / "data", servers_only=True, usual_ports=False, temporary=True) as running:
        program = psutil.Process(running.pids["postgres"]).exe()
        assert Path(program).is_relative_to(system)
        assert (await clients(running).query("SELECT version()")).startswith("PostgreSQL 18.")
    shutil.rmtree(system)


@ROOT_ONLY
def test_existing_data_keep_their_owner(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    account = accounts.for_postgres(tmp_path)
    assert account
    assert account.name == "nobody"
