"""Ports: the remembered one, else the usual one, else a free one; never one twice."""

import socket
from collections.abc import Iterator

import pytest

from cli.stack import ports, processes, s3


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    return next(port for port in ports.FREE_RANGE if ports.is_free(port))


def test_is_free(taken: int, free: int) -> None:
    assert not ports.is_free(taken)
    assert ports.is_free(free)


def test_a_server_on_every_address_counts_as_taken() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104 - the case in question
        assert not ports.is_free(server.getsockname()[1])


def test_the_usual_port_goes_first(free: int) -> None:
    assert ports.Ports({}).choose("redis", free) == free


def test_a_taken_usual_port_is_passed_over(taken: int) -> None:
    assert ports.Ports({}).choose("redis", taken) in ports.FREE_RANGE


def test_the_remembered_port_goes_before_the_usual(free: int, taken: int) -> None:
    assert ports.Ports({"redis": free}).choose("redis", taken) == free


def test_the_port_asked_for_goes_before_the_remembered(free: int, taken: int) -> None:
    assert ports.Ports({"api": taken}).asked("api", free) == free
    assert ports.Ports({"api": free}).asked("api", taken) == free


def test_no_port_twice(free: int) -> None:
    chosen = ports.Ports({})
    assert chosen.choose("a", free) != chosen.choose("b", free)


def test_a_forgotten_port_is_not_taken_from_memory(free: int) -> None:
    chosen = ports.Ports({"redis": free}, prefer_usual=False)
    assert chosen.choose("redis", 6379) == free
    chosen.forget("redis")
    assert chosen.remembered == {}
    assert chosen.chosen == {}


def test_s3_gets_all_its_ports() -> None:
    flags = s3.choose_ports(ports.Ports({}, prefer_usual=False))
    assert len(set(flags.values())) == len(flags) == 10
    assert flags["admin.port.grpc"] == flags["admin.port"] + s3.ADMIN_GRPC_OFFSET


def test_process_names_and_arguments() -> None:
    assert processes.instances(processes.WORKER, 2) == ("worker-1", "worker-2")
    assert processes.instances(processes.API, 2) == ("api",)
    argv = processes.filled(processes.API.argv, {"host": "127.0.0.1", "port": 8123})
    assert argv[1:] == ("-m", "api", "--host", "127.0.0.1", "--port", "8123")
