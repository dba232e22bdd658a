"""Bringing a finished attempt's results home: stream to S3, open them, record them, complete (promise P4)."""

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from shared import clock, failpoints, logs
from shared.domain import attempts, backoff, faults, outputs, states
from shared.outbound import downloads
from shared.providers import base
from shared.services import attempts as attempt_services
from shared.services import claims, completion
from shared.storage import troubles, unusable
from workers import context
from workers.steps import costs, deposit

FETCH_TRIES = 5
# The result is paid for, so its server may be away for this long. A file that is broken is not waited for.
AWAY_PATIENCE = timedelta(seconds=600)
LONGEST_PAUSE_SECONDS = 30.0

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def collect(at: context.Context, claim: claims.Claim) -> None:
    """Store every result and complete the job. What cannot be fetched or stored now is tried again; what is no
    usable output ends the attempt. May be repeated: a repeat overwrites its own objects. Raises LostClaimError.
    """
    # Not always the last: a stuck attempt may have finished after it was given up.
    finished = [attempt for attempt in claim.history if attempt.status is states.AttemptStatus.SUCCEEDED]
    attempt = finished[-1] if finished else None
    if attempt is None:
        await claims.release(at.db, claim.job, states.Step.SUBMIT, clock.now())
        return
    try:
        stored = await _store_all(at, claim, attempt)
    except (downloads.ForbiddenUrlError, troubles.TooBigError) as error:
        await _discard(at, claim, attempt, str(error))
    except unusable.UnusableOutputError as error:
        await _doubt_once(at, claim, attempt, str(error))
    except downloads.DownloadError as error:
        await _fetch_again(at, claim, attempt, error)
    except troubles.StorageUnavailableError:
        await _wait_for_storage(at, claim, attempt)
    else:
        cost = costs.actual_micros(at, claim, attempt)
        failpoints.reach(failpoints.Failpoint.UPLOADED)
        await completion.complete(at.db, claim.job, attempt, stored, cost, clock.now())
        failpoints.reach(failpoints.Failpoint.COMPLETED)
        _log.info("completed", attempt=attempt.number, endpoint=attempt.endpoint, outputs=len(stored))


async def _store_all(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> Sequence[outputs.Output]:
    if not attempt.sources:
        raise unusable.UnusableOutputError("The provider said it was done, and delivered nothing.")
    try:
        return await _store(at, claim, attempt, attempt.sources)
    except downloads.DeadUrlError:
        return await _store(at, claim, attempt, await _fresh_sources(at, attempt))


async def _store(
    at: context.Context,
    claim: claims.Claim,
    attempt: attempts.Attempt,
    sources: Sequence[outputs.Source],
) -> Sequence[outputs.Output]:
    stored: list[outputs.Output] = []
    with tempfile.TemporaryDirectory(prefix="genqueue-") as folder:
        for number, source in enumerate(sources):
            place = deposit.Place(claim, attempt, number, Path(folder) / str(number))
            stored += await deposit.deposit(at, place, source)
    return stored


async def _fresh_sources(at: context.Context, attempt: attempts.Attempt) -> Sequence[outputs.Source]:
    """A result URL may have run out; asking for the job again gives a new one at some providers."""
    if attempt.upstream_id is None:
        raise unusable.UnusableOutputError("The result is no longer at the provider.")
    outcome = await at.adapter(attempt.provider, attempt.credential).poll(attempt.upstream_id)
    if not isinstance(outcome, base.Finished):
        raise downloads.DownloadError("the provider gave no fresh URL")
    return outcome.sources


async def _doubt_once(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, reason: str) -> None:
    """A paid result is not thrown away for one bad answer: a page of a proxy's looks like an output that is none."""
    if attempt.collect_count == 0 and any(source.url for source in attempt.sources):
        await _come_back(at, claim, attempt)
    else:
        await _discard(at, claim, attempt, reason)


async def _fetch_again(
    at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, error: downloads.DownloadError
) -> None:
    waiting = isinstance(error, downloads.ServerAwayError) and _waited(attempt) < AWAY_PATIENCE
    if attempt.collect_count + 1 >= FETCH_TRIES and not waiting:
        await _discard(at, claim, attempt, f"The result could not be fetched: {error}.")
    else:
        await _come_back(at, claim, attempt)


async def _come_back(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> None:
    pause = backoff.retry_seconds(attempt.collect_count + 1, seed=f"{attempt.id}-{attempt.collect_count}")
    due_at = clock.now() + timedelta(seconds=min(pause, LONGEST_PAUSE_SECONDS))
    await attempt_services.collect_again(at.db, claim.job, attempt, due_at)


async def _wait_for_storage(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> None:
    """Our own storage is away: no try is counted, or its outage would use up those for the provider. The longer the
    result has been waiting, the longer the pause.
    """
    waited = _waited(attempt).total_seconds()
    pause = backoff.jittered(min(max(waited / 4, 1.0), LONGEST_PAUSE_SECONDS), seed=f"{attempt.id}-{waited}")
    await claims.release(at.db, claim.job, states.Step.COLLECT, clock.now() + timedelta(seconds=pause))


def _waited(attempt: attempts.Attempt) -> timedelta:
    return clock.now() - (attempt.finished_at or attempt.created_at)


async def _discard(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt, reason: str) -> None:
    fault = faults.Fault(faults.FaultKind.OUTPUT_UNUSABLE, reason)
    _log.warning("output_unusable", attempt=attempt.number, endpoint=attempt.endpoint, reason=reason)
    await attempt_services.ended_badly(
        at.db,
        claim.job,
        attempt,
        states.AttemptStatus.FAILED,
        fault,
        clock.now(),
        costs.actual_micros(at, claim, attempt),
    )
