"""The data folder: one stack at a time, its secrets (0600), its ports and pids for others to find."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tenacity

from cli.stack import faults, watchdog

LEFTOVERS_SECONDS = 25.0  # longer than the watchdog takes to stop what a killed supervisor left
PRIVATE = 0o600


@dataclass(slots=True)
class DataFolder:
    """Open it before use; it stays locked until it is closed and everything started from it has ended."""

    path: Path
    lock: int = field(default=-1, init=False)

    @property
    def logs(self) -> Path:
        """One NAME.log a program."""
        return self.path / "logs"

    @property
    def state_file(self) -> Path:
        """URLs, ports and pids, for tests and tools; no secrets."""
        return self.path / "stack.json"

    @property
    def env_file(self) -> Path:
        """Every setting of this stack, secrets included (0600)."""
        return self.path / "env"

    @property
    def admin_key_file(self) -> Path:
        """The generated admin key (0600); absent while a preset one is used."""
        return self.path / "admin-key"

    def open(self) -> None:
        """Makes and locks the folder. Raises StackError when another stack has it or it is not ours to write."""
        try:
            # As root, Postgres runs under another account and has to walk through.
            self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            self.lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        except OSError as error:
            raise faults.StackError(
                f"The data folder {self.path} cannot be written ({error.strerror}); "
                "run as the user who owns it, or name another with --data-dir."
            ) from error
        self._take_lock()

    def _take_lock(self) -> None:
        try:
            for attempt in tenacity.Retrying(
                retry=tenacity.retry_if_exception(self._is_held_by_leftovers),
                wait=tenacity.wait_fixed(0.1),
                stop=tenacity.stop_after_delay(LEFTOVERS_SECONDS),
                reraise=True,
            ):
                with attempt:
                    fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise faults.StackError(self._held_sentence()) from error

    def _is_held_by_leftovers(self, error: BaseException) -> bool:
        """Whether waiting helps: the supervisor is gone and its watchdog is still stopping things."""
        return isinstance(error, BlockingIOError) and not watchdog.is_running(self._supervisor())

    def _held_sentence(self) -> str:
        pids = ", ".join(f"{name} {pid}" for name, pid in self.read_state().get("pids", {}).items())
        if watchdog.is_running(supervisor := self._supervisor()):
            return (
                f"Another `genqueue up` (pid {supervisor}) is using {self.path}; "
                "stop it, or name another folder with --data-dir."
            )
        return f"Programs of an earlier run still use {self.path} ({pids}); stop them and try again."

    def _supervisor(self) -> int:
        return int(self.read_state().get("supervisor_pid", 0))

    def close(self) -> None:
        """Gives the lock back. May be repeated."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def read_state(self) -> dict[str, Any]:
        """What the last run wrote to stack.json; empty when there was none or it cannot be read."""
        try:
            state = json.loads(self.state_file.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Replaces stack.json in one step. It holds no secrets."""
        _write(self.state_file, json.dumps(state, indent=2) + "\n", 0o644)

    def write_env(self, env: Mapping[str, str]) -> None:
        """Replaces the env file (`NAME='value'` a line, 0600): `set -a; . DATA/env` joins this stack."""
        _write(self.env_file, "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(env.items())))

    def secret(self, name: str) -> str:
        """A random secret, the same on every run on this folder."""
        kept = self.path / "secrets" / name
        if not kept.exists():
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            _write(kept, secrets.token_hex(20))
        return kept.read_text()

    def admin_key(self) -> str:
        """The admin key of this folder, made on first use."""
        if not self.admin_key_file.exists():
            _write(self.admin_key_file, f"gq_admin_{secrets.token_urlsafe(24)}\n")
        return self.admin_key_file.read_text().strip()

    def start_log(self, name: str) -> Path:
        """The log of one program, empty; what an earlier run wrote is in NAME.log.old."""
        log = self.logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_name(f"{name}.log.old"))
        return log

    def delete(self) -> None:
        """Removes the folder, and what Postgres keeps elsewhere when it runs as root."""
        postgres = self.path / "postgres"
        if postgres.is_symlink():
            shutil.rmtree(postgres.resolve(), ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)


def _write(path: Path, text: str, mode: int = PRIVATE) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"
