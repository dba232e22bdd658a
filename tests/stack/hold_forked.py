"""Runs a stack of one forked process and no servers until it is told to stop: the supervisor that tests kill."""

import sys
from pathlib import Path

from cli import up
from cli.stack import processes, stack

WEB = processes.Process(
    name="web",
    argv=("python", "-m", "http.server", "--bind", "{host}", "{port}"),
    stage=2,
    health="http://{host}:{port}/",
    ahead=("http.server",),
)

if __name__ == "__main__":
    processes.ALL = (WEB,)
    nowhere = dict.fromkeys(stack.NEEDED_EXTERNALLY, "unused")
    sys.exit(up.serve(stack.Stack(data_dir=Path(sys.argv[1]), external=True, usual_ports=False, environ=nowhere)))
