"""Becomes another program: reports its pid to the watchdog, gives up root if told to, then execs.

A script (`python -I -S launch.py …`), because what happens between fork and exec must not happen in
our own process: the pid reaches the watchdog even if the supervisor is killed at that very moment.
"""

import os
import sys


def report(descriptor: int, stop_signal: int, stage: int) -> None:
    """Tells the watchdog of us, and closes its pipe."""
    os.write(descriptor, f"+ {os.getpid()} {stop_signal} {stage}\n".encode())
    os.close(descriptor)  # the watchdog's pipe must end with the supervisor, not with this program


def _drop_root(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main() -> None:
    """Arguments: descriptor, stop signal, stage, "uid:gid" or "", then the program and its arguments."""
    descriptor, stop_signal, stage, account, *argv = sys.argv[1:]
    report(int(descriptor), int(stop_signal), int(stage))
    if account:
        uid, gid = account.split(":")
        _drop_root(int(uid), int(gid))
    os.umask(0o077)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.exit(f"cannot run {argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
