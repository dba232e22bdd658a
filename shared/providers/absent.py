"""Stands in for a provider that the catalog no longer has, so that its jobs still come to an end."""

from shared.domain import faults, models
from shared.providers import base

MESSAGE = "The provider is no longer in the catalog."


class AbsentAdapter:
    """Accepts nothing, knows nothing: jobs that wait for it end by their deadline or fall back."""

    doubt = models.Doubt.NEITHER

    async def submit(self, ask: base.Ask) -> base.SubmitOutcome:
        """Never sent."""
        return base.NotSent(faults.Fault(faults.FaultKind.NOT_FOUND, f"{MESSAGE} ({ask.upstream_model})"))

    async def find(self, reference: str) -> base.Accepted | None:
        """Nobody can be asked."""
        raise base.LookupFailedError(reference)

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """Nobody can be asked: the attempt is given up."""
        return base.Failed(faults.Fault(faults.FaultKind.NOT_FOUND, f"{MESSAGE} ({upstream_id})"))

    async def cancel(self, upstream_id: str) -> base.Cancellation:
        """Nobody can be asked."""
        del upstream_id
        return base.Cancellation.UNSUPPORTED

    def download_headers(self, url: str) -> dict[str, str]:
        """None."""
        del url
        return {}
