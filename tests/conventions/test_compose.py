"""docker-compose.yml runs what `genqueue up` runs, and nothing in it works with a secret everybody knows."""

import re
from typing import Any

import pytest
import yaml

from cli.stack import processes
from shared import settings
from tests.conventions import tree

SERVERS = frozenset({"postgres", "redis", "s3"})
# Only with a profile of their own.
EXTRAS = frozenset({"minio", "prometheus", "grafana"})
# What `genqueue up` fills in, as the containers have it.
VALUES = {
    "host": "0.0.0.0",  # noqa: S104 - inside a container
    "port": 8080,
    "sandbox_port": 8090,
    "sandbox_state": "/var/lib/genqueue/sandbox",
    "flower_port": 5555,
}
SECRETS = ("PASSWORD", "SECRET", "KEY", "AUTH", "DATABASE_URL")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((tree.ROOT / "docker-compose.yml").read_text())
    return document


def environment(service: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = service.get("environment", {})
    return found


def test_the_services_are_the_processes_of_genqueue_up(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) - SERVERS - EXTRAS == {process.name for process in processes.ALL}
    assert all(compose["services"][name]["profiles"] for name in EXTRAS)


@pytest.mark.parametrize("process", processes.ALL, ids=lambda process: process.name)
def test_a_service_runs_the_command_of_its_process(compose: dict[str, Any], process: processes.Process) -> None:
    service = compose["services"][process.name]
    assert tuple(service["command"]) == tuple(part.format_map(VALUES) for part in process.argv)
    assert process.env.items() <= environment(service).items()


@pytest.mark.parametrize("process", processes.ALL, ids=lambda process: process.name)
def test_a_service_is_started_when_and_as_often_as_its_process(
    compose: dict[str, Any], process: processes.Process
) -> None:
    service = compose["services"][process.name]
    assert bool(service.get("profiles")) is process.optional
    assert (service["restart"] == "on-failure") is process.once
    if process.health:
        assert process.health.format_map(VALUES | {"host": "127.0.0.1"}) in service["healthcheck"]["test"][-1]


def test_every_server_is_checked_and_every_wait_names_what_it_waits_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert all("test" in services[name]["healthcheck"] for name in SERVERS | EXTRAS)
    for service in services.values():
        for name, wait in service.get("depends_on", {}).items():
            healthy = "test" in services[name].get("healthcheck", {})
            assert wait["condition"] == ("service_healthy" if healthy else "service_completed_successfully")


def test_every_variable_is_one_that_the_settings_know(compose: dict[str, Any]) -> None:
    known = {f"GENQUEUE_{name.upper()}" for name in settings.Settings.model_fields}
    given = {name for service in compose["services"].values() for name in environment(service)}
    assert {name for name in given if name.startswith("GENQUEUE_")} <= known


def has_no_default(value: str) -> bool:
    """Whether the value stops compose when its secret is not set."""
    found = re.findall(r"\$\{[^}]+\}", value)
    return bool(found) and all(":?" in variable for variable in found)


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    secrets = {
        name: value
        for service in compose["services"].values()
        for name, value in environment(service).items()
        if any(word in name for word in SECRETS)
    }
    assert {"POSTGRES_PASSWORD", "GENQUEUE_ADMIN_KEY", "GENQUEUE_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"} <= set(secrets)
    assert [name for name, value in secrets.items() if not has_no_default(value)] == []
    assert not has_no_default("${PASSWORD:-genqueue}")
    assert not has_no_default("genqueue")


def test_only_what_people_open_is_published_and_only_on_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"api", "s3", "flower"} | EXTRAS
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_our_containers_may_write_nowhere_and_have_no_rights(compose: dict[str, Any]) -> None:
    for process in processes.ALL:
        service = compose["services"][process.name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    image = (tree.ROOT / "deploy/Dockerfile").read_text()
    assert re.search(r"^USER 10001", image, re.MULTILINE)


def test_redis_keeps_what_it_was_given(compose: dict[str, Any]) -> None:
    command = " ".join(compose["services"]["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
