"""Which loopback port each part listens on: the one it had, else the usual one, else any free one."""

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

HOST = "127.0.0.1"
# Below the ranges Linux (32768+) and macOS (49152+) hand to outgoing connections, which could otherwise
# take a port between our look and the server's bind. `weed` dials its admin port + 10000, hence 22000.
FREE_RANGE = range(20_000, 22_000)
MOST_TRIES = 500


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now. Holds nothing: a server must still win it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:  # taken, or below 1024 and we may not
            return False
        return True


@dataclass(slots=True)
class Ports:
    """The ports of one stack. `remembered` comes from the last run, so that URLs stay the same."""

    remembered: dict[str, int]
    prefer_usual: bool = True
    chosen: dict[str, int] = field(default_factory=dict)

    def choose(self, name: str, usual: int, *, with_offset: int = 0) -> int:
        """A free port, different from all others chosen here; with an offset, the port that far above is free too."""
        for port in self._candidates(name, usual):
            if self._usable(port) and (not with_offset or self._usable(port + with_offset)):
                self.chosen[name] = port
                return port
        raise OSError(f"no free loopback port for {name} after {MOST_TRIES} tries; close some programs")

    def forget(self, name: str) -> None:
        """The port turned out to be taken: the next choice is a fresh one."""
        self.chosen.pop(name, None)
        self.remembered.pop(name, None)

    def asked(self, name: str, port: int) -> int:
        """A port the caller named: it goes before the remembered one."""
        if self._usable(port):
            self.remembered[name] = port
        return self.choose(name, port)

    def _candidates(self, name: str, usual: int) -> Iterator[int]:
        if name in self.remembered:
            yield self.remembered[name]
        if self.prefer_usual:
            yield usual
        for _ in range(MOST_TRIES):
            yield random.choice(FREE_RANGE)  # noqa: S311 - not a secret

    def _usable(self, port: int) -> bool:
        return port not in self.chosen.values() and is_free(port)
