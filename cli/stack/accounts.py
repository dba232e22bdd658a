"""Postgres refuses to run as root: which account it runs under instead, and what that account can reach."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli.stack import faults

# Distributions give Postgres its own account; where there is none, `nobody` is everywhere.
CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine that a program can be run under."""

    name: str
    uid: int
    gid: int


def for_postgres(data: Path) -> Account | None:
    """None when we are not root: then everything runs as ourselves. Existing data keep their owner."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    names = [pwd.getpwuid(owner).pw_name] if owner else CANDIDATES
    for name in names:
        if entry := _entry(name):
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise faults.StackError(
        "Postgres does not run as root and there is no account `nobody` to run it under; "
        "add one, or run genqueue as an ordinary user."
    )


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def can_enter(account: Account, path: Path) -> bool:
    """Asks the kernel as that account, so that parents, groups and ACLs all count."""
    asked = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return asked.returncode == 0
