"""Imports what a program needs while its servers still start, and becomes the program when it is told to.

`python -m cli.stack.ahead MODULE…`, then on standard input one line of JSON: `env` and `argv`, the module to run and
its arguments. Imports are most of what a process of ours does before it is ready: 2 to 3 s of CPU.
"""

import gc
import importlib
import json
import os
import runpy
import sys
from collections.abc import Iterable


def main(modules: Iterable[str]) -> None:
    """Import, wait, run. Ends at once if whoever started us has gone."""
    # Nothing that is imported is garbage: the collector would only look for it, again and again.
    gc.disable()
    for name in modules:
        importlib.import_module(name)
    gc.enable()
    line = sys.stdin.readline()
    if not line:
        return
    told = json.loads(line)
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv = list(told["argv"])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
