"""Which API to speak to, and with which key.

In this order: the environment, a stack that `genqueue up` runs in this folder or one above it, the config file.
URL and key always come from the same place: a key is never sent to a server it was not made for.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dotenv
import pydantic_settings

from cli.stack import folders, watchdog

DEFAULT_URL = "http://127.0.0.1:8080"
FOLDER = ".genqueue"


class NoKeyError(Exception):
    """There is no key: set GENQUEUE_API_KEY, run `genqueue up` in this folder, or write the config file."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API is, the key, and where both were found."""

    url: str
    key: str
    source: str


class _Environment(pydantic_settings.BaseSettings):
    model_config = pydantic_settings.SettingsConfigDict(env_prefix="GENQUEUE_", extra="ignore")

    url: str = ""
    api_key: str = ""


def config_path() -> Path:
    """The config file: `url` and `api_key` in TOML. GENQUEUE_CONFIG names another."""
    if named := os.environ.get("GENQUEUE_CONFIG"):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "genqueue" / "config.toml"


def find() -> Connection:
    """The connection for this folder. Raises NoKeyError, or ValueError for a config file that cannot be read."""
    given = _Environment()
    if given.api_key:
        return Connection(given.url or DEFAULT_URL, given.api_key, "the environment")
    for found in (running(Path.cwd()), _configured()):
        if found is not None and given.url in ("", found.url):
            return found
    raise NoKeyError


def running(start: Path) -> Connection | None:
    """The stack that runs in this folder or the nearest one above it."""
    for folder in stacks(start):
        state = folder.read_state()
        if watchdog.is_running(int(state.get("supervisor_pid", 0))) and folder.env_file.is_file():
            key = dotenv.dotenv_values(folder.env_file).get("GENQUEUE_ADMIN_KEY")
            if key and state.get("base_url"):
                return Connection(str(state["base_url"]), key, str(folder.path))
    return None


def stacks(start: Path) -> Iterator[folders.DataFolder]:
    """The data folders of local stacks, running or not: here, then above."""
    for place in (start, *start.parents):
        if (place / FOLDER / "stack.json").is_file():
            yield folders.DataFolder(place / FOLDER)


def _configured() -> Connection | None:
    path = config_path()
    if not path.is_file():
        return None
    values = pydantic_settings.TomlConfigSettingsSource(_Environment, path)()
    key = str(values.get("api_key", ""))
    return Connection(str(values.get("url") or DEFAULT_URL), key, str(path)) if key else None
