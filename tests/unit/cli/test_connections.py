"""Where the command line finds the API and the key, and that a key never goes to another server than its own."""

import json
import os
from pathlib import Path

import pytest

from cli import connections


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GENQUEUE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_config(folder: Path) -> None:
    (folder / "config" / "genqueue").mkdir(parents=True)
    (folder / "config" / "genqueue" / "config.toml").write_text('url = "https://a.example"\napi_key = "of-the-file"\n')


def write_stack(folder: Path, pid: int) -> None:
    (folder / ".genqueue").mkdir()
    state = {"supervisor_pid": pid, "base_url": "http://127.0.0.1:8080"}
    (folder / ".genqueue" / "stack.json").write_text(json.dumps(state))
    (folder / ".genqueue" / "env").write_text("GENQUEUE_ADMIN_KEY='of-the-stack'\n")


def test_without_anything_the_advice_names_the_ways() -> None:
    with pytest.raises(connections.NoKeyError):
        connections.find()


def test_the_environment_goes_first(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(nowhere)
    monkeypatch.setenv("GENQUEUE_API_KEY", "of-the-environment")
    found = connections.find()
    assert (found.url, found.key) == (connections.DEFAULT_URL, "of-the-environment")


def test_a_running_stack_goes_before_the_config_file_and_a_stopped_one_does_not(nowhere: Path) -> None:
    write_config(nowhere)
    assert connections.find().key == "of-the-file"
    write_stack(nowhere, os.getpid())
    assert connections.find().key == "of-the-stack"
    (nowhere / ".genqueue" / "stack.json").write_text(json.dumps({"supervisor_pid": 0, "base_url": "http://x"}))
    assert connections.find().key == "of-the-file"


def test_a_key_is_not_sent_to_a_url_it_does_not_belong_to(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(nowhere)
    monkeypatch.setenv("GENQUEUE_URL", "https://b.example")
    with pytest.raises(connections.NoKeyError):
        connections.find()
    monkeypatch.setenv("GENQUEUE_URL", "https://a.example")
    assert connections.find().key == "of-the-file"
