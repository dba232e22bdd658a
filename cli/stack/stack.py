"""The whole local stack: Postgres, Redis and S3, then the processes of genqueue."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.stack import children, faults, folders, ports, probes, processes, servers, supervisor

PREFIX = "GENQUEUE_"
NEEDED_EXTERNALLY = ("GENQUEUE_DATABASE_URL", "GENQUEUE_REDIS_URL", "GENQUEUE_S3_BUCKET")
PORT_TRIES = 4
API_PORT = 8080


def _unchanged(_: str, environment: dict[str, str]) -> dict[str, str]:
    return environment


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(slots=True, kw_only=True)
class Stack:
    """`async with Stack(data_dir=…) as stack:` — everything is ready inside, and gone afterwards.

    `environ` holds settings that go before ours: a server whose URL is in it is used, not started. Our own
    environment's `GENQUEUE_…` variables are left out, so that a test never meets a real database by accident.
    `commands` replaces the arguments of our own processes by name, and `rewire` may change the environment each
    gets (a proxy in place of a server): both are for tests.
    """

    data_dir: Path
    port: int = API_PORT
    workers: int = 1
    flower: bool = False
    servers_only: bool = False
    external: bool = False
    temporary: bool = False  # delete the data folder at the end
    usual_ports: bool = True  # try 5432, 6379, … before any other
    environ: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rewire: Callable[[str, dict[str, str]], dict[str, str]] = _unchanged
    say: Callable[[str], None] = _say
    env: dict[str, str] = field(default_factory=dict, init=False)
    _folder: folders.DataFolder = field(init=False)
    _ports: ports.Ports = field(init=False)
    _supervisor: supervisor.Supervisor = field(init=False)
    _servers: dict[str, servers.Server] = field(default_factory=dict, init=False)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def base_url(self) -> str:
        """Where the API answers."""
        return self.env["GENQUEUE_PUBLIC_URL"]

    @property
    def admin_key(self) -> str:
        """The key that may do everything."""
        return self.env["GENQUEUE_ADMIN_KEY"]

    @property
    def flower_url(self) -> str:
        """Where Flower answers, if it runs: user `admin`, password the admin key."""
        return f"http://{ports.HOST}:{self._ports.chosen['flower']}" if self.flower else ""

    @property
    def pids(self) -> dict[str, int]:
        """The pid of everything running now: postgres, redis, s3, sandbox, api, relay, worker-1, …"""
        return self._supervisor.pids

    @property
    def folder(self) -> folders.DataFolder:
        """Where its logs, secrets, stack.json and env file are."""
        return self._folder

    async def start(self) -> None:
        """Starts everything and returns when it is ready. Raises StackError, having stopped what it had started."""
        self._folder = folders.DataFolder(self.data_dir.absolute())
        await asyncio.to_thread(self._folder.open)  # may wait for the leftovers of a killed run
        self._ports = ports.Ports(dict(self._folder.read_state().get("ports", {})), self.usual_ports)
        self._supervisor = supervisor.Supervisor(self._folder, self.say, self._write_state)
        try:
            await self._start_everything()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops everything in reverse order, asking first. May be repeated."""
        try:
            await self._supervisor.stop()
            await asyncio.to_thread(self._tidy)
        finally:
            self._folder.close()

    def _tidy(self) -> None:
        for server in self._servers.values():
            server.tidy()
        if self.temporary:
            self._folder.delete()
        elif self._folder.path.exists():
            self._write_state()

    async def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Ends one program from outside, as a crash would; it stays down until `restart(name)`."""
        await self._supervisor.kill(name, number)
        self._write_state()

    async def restart(self, name: str) -> None:
        """Stops one program if it runs, and starts it on the same ports. Returns when it is ready."""
        await self._supervisor.restart(name)

    def pause(self, name: str) -> None:
        """Freezes one program and all its descendants (SIGSTOP): connections stay open, nothing answers."""
        self._supervisor.signal_all(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Ends a pause."""
        self._supervisor.signal_all(name, signal.SIGCONT)

    async def _start_everything(self) -> None:
        self._supervisor.open()
        self._write_state()
        # Side by side, two stacks would meet at the usual port, and one's probe be answered by the other's API.
        usual = self.port == API_PORT and not self.usual_ports
        api_port = self._ports.choose("api", self.port) if usual else self._ports.asked("api", self.port)
        if not self.servers_only:
            await self._import_ahead()
        await self._start_servers()
        self._set_environment(api_port)
        self._folder.write_env(self.env)
        if not self.servers_only:
            await self._start_processes()
            await self._supervisor.end_ahead()
        self._write_state()

    async def _start_servers(self) -> None:
        missing = [name for name in NEEDED_EXTERNALLY if self.external and name not in self.environ]
        if missing:
            raise faults.StackError(f"--external uses servers that exist; set {', '.join(missing)}.")
        kinds = [] if self.external else [kind for kind in servers.KINDS.values() if kind.setting not in self.environ]
        await _all(self._start_server(kind) for kind in kinds)

    async def _start_server(self, kind: servers.Kind) -> None:
        """Another program may win a port between our look and the server's bind: then again with new ports."""
        for tries_left in reversed(range(PORT_TRIES)):
            server = kind.make(self._folder, self._ports)
            self._servers[server.name] = server
            try:
                await server.prepare(self._supervisor.run)
                await self._supervisor.start(server.command(), server.ready)
            except faults.StartError as error:
                if not (tries_left and error.port_was_taken):
                    raise
                for name in kind.port_names:
                    self._ports.forget(name)
            else:
                return

    def _set_environment(self, api_port: int) -> None:
        ours = {name: value for server in self._servers.values() for name, value in server.environment().items()}
        sandbox_port = self._ports.choose("sandbox", 8090)
        self.env = {
            "GENQUEUE_PUBLIC_URL": f"http://{ports.HOST}:{api_port}",
            "GENQUEUE_SANDBOX_URL": f"http://{ports.HOST}:{sandbox_port}",
            **{name: value for name, value in self.environ.items() if name.startswith(PREFIX)},
            **ours,
        }
        if not self.env.get("GENQUEUE_ADMIN_KEY"):
            self.env["GENQUEUE_ADMIN_KEY"] = self._folder.admin_key()
        # Also over a name that is set and empty: what is sealed once must stay readable at the next start.
        if not self.env.get("GENQUEUE_SECRET_KEY"):
            self.env["GENQUEUE_SECRET_KEY"] = self._folder.secret("seal")

    async def _start_processes(self) -> None:
        chosen = [process for process in processes.ALL if self._is_wanted(process)]
        for stage in sorted({process.stage for process in chosen}):
            await _all(self._start_process(process) for process in chosen if process.stage == stage)

    def _is_wanted(self, process: processes.Process) -> bool:
        elsewhere = process is processes.SANDBOX and "GENQUEUE_SANDBOX_URL" in self.environ
        return not elsewhere and (self.flower or not process.optional)

    async def _import_ahead(self) -> None:
        modules = [name for process in processes.ALL if self._is_wanted(process) for name in self._ahead(process)]
        if modules:
            await self._supervisor.import_ahead(modules, _inherited())

    def _ahead(self, process: processes.Process) -> tuple[str, ...]:
        """Where a test has put other arguments in place, nothing is known of what they import."""
        return () if process.name in self.commands else process.ahead

    async def _start_process(self, process: processes.Process) -> None:
        values = self._placeholders()
        argv = processes.filled(tuple(self.commands.get(process.name, process.argv)), values)
        for name in processes.instances(process, self.workers):
            env = self._process_environment(process)
            command = children.Command(name, argv, env, process.stage, ahead=self._ahead(process))
            if process.once:
                await self._supervisor.run(command)
            else:
                await self._supervisor.start(command, probes.answers(process.health.format_map(values)))

    def _placeholders(self) -> dict[str, object]:
        chosen = self._ports.chosen
        if self.flower and "flower" not in chosen:
            self._ports.choose("flower", 5555)
        return {
            "host": ports.HOST,
            "port": chosen["api"],
            "sandbox_port": chosen["sandbox"],
            "sandbox_state": self._folder.path / "sandbox-state",
            "flower_port": chosen.get("flower", 0),
        }

    def _process_environment(self, process: processes.Process) -> dict[str, str]:
        own = self._watched(process) if self.flower else {}
        return self.rewire(process.name, {**_inherited(), **self.env, **own, **process.env})

    def _watched(self, process: processes.Process) -> dict[str, str]:
        """Task events are on only while Flower runs, and Flower asks for the admin key."""
        if process is processes.FLOWER:
            return {"FLOWER_BASIC_AUTH": f"admin:{self.admin_key}"}
        return {"GENQUEUE_TASK_EVENTS": "true"} if process is processes.WORKER else {}

    def _write_state(self) -> None:
        self._folder.write_state(
            {
                "base_url": self.env.get("GENQUEUE_PUBLIC_URL"),
                "supervisor_pid": os.getpid(),
                "pids": self.pids,
                "ports": self._ports.remembered | self._ports.chosen,
                "urls": {name: server.public_url for name, server in self._servers.items()},
                "env_file": str(self._folder.env_file),
                "admin_key_file": str(self._folder.admin_key_file),
                "logs": str(self._folder.logs),
            }
        )


def _inherited() -> dict[str, str]:
    """Our own environment, less our settings: a test must never meet a real database by accident."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**ours, "PYTHONUNBUFFERED": "1"}


async def _all(starts: Iterable[Coroutine[None, None, None]]) -> None:
    """Runs all at once; the first fault cancels the rest and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except BaseExceptionGroup as met:
        # Not `except*`: before Python 3.11.4 it wraps what is raised inside it in a group once more.
        known, _ = met.split(faults.StackError)
        if known is None:
            raise
        raise known.exceptions[0] from None
