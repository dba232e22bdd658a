"""Starts programs, keeps them running, stops them in reverse order, and leaves none behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tenacity

from cli.stack import children, faults, folders, forks

WATCHDOG = Path(__file__).with_name("watchdog.py")
READY_SECONDS = 60.0
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 0.5, 30.0
CALM_SECONDS = 60.0  # having run this long, the next end counts as the first again

Probe = Callable[[], Awaitable[bool]]


class NotReadyError(Exception):
    """The probe said no; ask again."""


@dataclass(slots=True)
class Kept:
    """A program that is to keep running. `held`: it is down on purpose and is not started again."""

    command: children.Command
    probe: Probe | None
    child: children.Child
    held: bool = False
    keeper: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Supervisor:
    """Lives on one event loop. `say` gets a line for what a person should know; `changed` follows each new pid."""

    folder: folders.DataFolder
    say: Callable[[str], None]
    changed: Callable[[], None]
    kept: dict[str, Kept] = field(default_factory=dict, init=False)
    _report: int = field(default=-1, init=False)
    _watchdog: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _logs: dict[str, Path] = field(default_factory=dict, init=False)
    _forker: forks.Forker | None = field(default=None, init=False)

    def open(self) -> None:
        """Starts the watchdog, which stops everything should this process be killed."""
        read, self._report = os.pipe()
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WATCHDOG)],
            stdin=read,
            pass_fds=(self.folder.lock,),
            start_new_session=True,
        )
        os.close(read)

    @property
    def pids(self) -> dict[str, int]:
        """The programs running now, in the order of their start."""
        return {name: kept.child.pid for name, kept in self.kept.items() if kept.child.running}

    async def import_ahead(self, modules: Sequence[str], env: Mapping[str, str]) -> None:
        """Begins to import what commands with an `ahead` need; until `end_ahead` they are forked from there."""
        self._forker = await forks.start(modules, env, self._log("ahead"), self._descriptors)

    async def end_ahead(self) -> None:
        """Everything is started, or will not be: what starts from now on imports for itself. May be repeated."""
        if self._forker is not None:
            await self._forker.stop()
            self._forget(self._forker.child)
            self._forker = None

    async def run(self, command: children.Command) -> None:
        """Runs a program to its end. Raises StartError, with the end of its log, unless that is 0."""
        child = await self._spawn(command)
        try:
            code = await child.process.wait()
        except asyncio.CancelledError:
            await child.stop()
            raise
        finally:
            self._forget(child)
        if code:
            raise self._start_error(child, _ended(code))

    async def start(self, command: children.Command, probe: Probe | None = None) -> None:
        """Starts a program, waits until it is ready, and keeps it running from then on. Raises StartError."""
        child = await self._spawn(command)
        kept = self.kept[command.name] = Kept(command, probe, child)
        self.changed()
        try:
            await self._until_ready(kept)
        except faults.StartError:
            await self._end(self.kept.pop(command.name))
            raise
        kept.keeper = asyncio.create_task(self._keep(kept), name=f"keep {command.name}")

    async def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Sends the signal to the program's group and waits for its end. It stays down until `restart`."""
        kept = self.kept[name]
        kept.held = True
        kept.child.signal_group(number)
        await kept.child.process.wait()
        await self._end(kept)

    async def restart(self, name: str) -> None:
        """Stops the program if it runs, starts it with the same command and waits until it is ready."""
        kept = self.kept[name]
        await self._end(kept)
        async for attempt in tenacity.AsyncRetrying(
            # After kill -9 of Postgres its children need a moment to notice and let go of the data.
            retry=tenacity.retry_if_exception_type(faults.StartError),
            wait=tenacity.wait_fixed(0.5),
            stop=tenacity.stop_after_attempt(4),
            reraise=True,
        ):
            with attempt:
                await self.start(kept.command, kept.probe)

    def signal_all(self, name: str, number: int) -> None:
        """Signals the program and all its descendants: Postgres puts each of its own into a new group."""
        import psutil  # noqa: PLC0415 - comes with the local servers, is not needed in production

        leader = psutil.Process(self.kept[name].child.pid)
        for process in [leader, *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def stop(self) -> None:
        """Stops everything, the last stage first, and then the watchdog. May be repeated."""
        await self.end_ahead()
        for stage in sorted({kept.command.stage for kept in self.kept.values()}, reverse=True):
            await asyncio.gather(*(self._end(kept) for kept in self._at(stage)))
        if self._watchdog is not None:
            os.close(self._report)
            await asyncio.to_thread(self._watchdog.wait)
            self._watchdog = None

    def _at(self, stage: int) -> list[Kept]:
        return [kept for kept in self.kept.values() if kept.command.stage == stage]

    async def _end(self, kept: Kept) -> None:
        kept.held = True
        if kept.keeper is not None:
            kept.keeper.cancel()
            await asyncio.gather(kept.keeper, return_exceptions=True)
        await kept.child.stop()
        self._forget(kept.child)

    async def _keep(self, kept: Kept) -> None:
        """Starts the program again whenever it ends by itself, later and later while it ends at once."""
        failures = 0
        while True:
            since = time.monotonic()
            code = await kept.child.process.wait()
            self._forget(kept.child)
            if kept.held:
                return
            failures = 0 if time.monotonic() - since > CALM_SECONDS else failures + 1
            await self._start_again(kept, code, failures)

    async def _start_again(self, kept: Kept, code: int, failures: int) -> None:
        delay = min(FIRST_BACKOFF_SECONDS * 2 ** max(0, failures - 1), LONGEST_BACKOFF_SECONDS)
        self.say(f"{kept.command.name} {_ended(code)}; starting it again in {delay:g} s. Its log: {kept.child.log}")
        await asyncio.sleep(delay)
        kept.child = await self._spawn(kept.command)
        self.changed()

    async def _spawn(self, command: children.Command) -> children.Child:
        log = self._log(command.name)
        forker = self._forker if command.ahead else None
        forked = await forker.fork(command, log, self._descriptors) if forker else None
        return forked or await children.start(command, log, self._descriptors)

    def _log(self, name: str) -> Path:
        if name not in self._logs:
            self._logs[name] = self.folder.start_log(name)
        return self._logs[name]

    @property
    def _descriptors(self) -> children.Descriptors:
        return children.Descriptors(self._report, self.folder.lock)

    def _forget(self, child: children.Child) -> None:
        child.signal_group(signal.SIGKILL)  # children it left in its group
        with contextlib.suppress(OSError):
            os.write(self._report, f"- {child.pid}\n".encode())

    async def _until_ready(self, kept: Kept) -> None:
        try:
            async for attempt in tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception_type(NotReadyError),
                wait=tenacity.wait_fixed(0.05),
                stop=tenacity.stop_after_delay(READY_SECONDS),
                reraise=True,
            ):
                with attempt:
                    await self._check(kept)
        except NotReadyError as error:
            raise self._start_error(kept.child, f"was not ready after {READY_SECONDS:g} s ({error})") from error

    async def _check(self, kept: Kept) -> None:
        refusal = await _refusal(kept.probe)
        if not kept.child.running:
            raise self._start_error(kept.child, _ended(kept.child.process.returncode))
        if refusal:
            raise NotReadyError(refusal)

    def _start_error(self, child: children.Child, reason: str) -> faults.StartError:
        return faults.StartError(
            child.command.name, f"{reason}. The end of its log, {child.log}:", child.tail() or "(empty)"
        )


async def _refusal(probe: Probe | None) -> str:
    """Why the probe is not content; empty when it is."""
    try:
        return "" if probe is None or await probe() else "it answers, but not as ours"
    except Exception as error:  # noqa: BLE001 - whatever a client raises while its server is not up
        return f"{type(error).__name__}: {error}"


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
