"""What this process has in hand. A claim it holds in the database but not in hand was dropped by an error on the
way; since the process lives, no sweep would ever free it, so the process frees it itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Hand:
    """Job ids and fences under work now. For one loop; not for threads."""

    def __init__(self) -> None:
        self._fences: dict[str, int] = {}
        self._suspects: dict[str, int] = {}

    @contextmanager
    def holding(self, fences: Mapping[str, int]) -> Iterator[None]:
        """Note claims as under work for the length of the block."""
        self._fences |= fences
        try:
            yield
        finally:
            for job_id, fence in fences.items():
                if self._fences.get(job_id) == fence:
                    del self._fences[job_id]

    def strays(self, held: Mapping[str, int]) -> dict[str, int]:
        """Of the claims held in the database, those not in hand now nor at the last look: a claim that was just
        committed is not in hand yet.
        """
        suspects = {job_id: fence for job_id, fence in held.items() if self._fences.get(job_id) != fence}
        strays = {job_id: fence for job_id, fence in suspects.items() if self._suspects.get(job_id) == fence}
        self._suspects = suspects
        return strays
