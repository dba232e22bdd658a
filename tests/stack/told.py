"""A program that says what it was told, and ends with 7. Run by test_ahead.py, never imported."""

import json
import os
import sys

if __name__ == "__main__":
    said = {
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "session": os.getsid(0),
        "argv": sys.argv[1:],
        "early": os.environ.get("EARLY"),
        "late": os.environ.get("LATE"),
        "imported": "http.server" in sys.modules,
        "input": sys.stdin.read(),
        "name": open("/proc/self/comm").read().strip() if os.path.exists("/proc") else "",  # noqa: PTH110, PTH123, SIM115
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.exit(7)
