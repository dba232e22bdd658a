"""Whoever has imported this and forks is killed at that moment; what it has forked lives."""

import os
import signal

os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGKILL))
