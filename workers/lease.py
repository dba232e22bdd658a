"""Whether this process still holds its lease, as far as it can know by itself."""

import time


class Lease:
    """Renewed by every heartbeat that got through. Monotonic: a process that was frozen notices when it wakes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0

    def renew(self, begun: float) -> None:
        """A heartbeat that began at `begun` (time.monotonic) got through."""
        self._until = begun + self._seconds

    def holds(self) -> bool:
        """False once others may have taken what this process holds."""
        return time.monotonic() < self._until
