"""The contract of shared/providers/base.py, kept by every adapter against a server in its provider's dialect."""

import socket
from collections.abc import Callable

import orjson
import pytest

from shared.domain import faults, models, states
from shared.outbound import downloads
from shared.providers import base
from tests.contract import asks, dialects, talks
from tests.contract.servers import upstream

Pair = tuple[upstream.Dialect, upstream.Offer]

PAIRS: list[Pair] = [(dialect, offer) for dialect in dialects.ALL for offer in dialect.offers]
# The small cap, and what the sockets in between may hold.
MOST_READ_BYTES = 32 * 1024 * 1024
JUNK = (
    b"{}",
    b"[]",
    b"null",
    b'{"id": null, "name": null}',
    b'{"data": "x", "error": []}',
    b'{"id": {"a": 1}}',
    b'{"status": 7, "state": [], "data": [1], "task_id": {}}',
    b'{"error": "text", "details": 1}',
    b"\xff\xfe",
)


def over(
    of: Callable[[upstream.Dialect, upstream.Offer], bool] = lambda _dialect, _offer: True,
) -> pytest.MarkDecorator:
    """Every dialect and offer for which this holds."""
    chosen = [pair for pair in PAIRS if of(*pair)]
    ids = [f"{dialect.name}-{offer.kind}{'-' + offer.route if offer.route else ''}" for dialect, offer in chosen]
    return pytest.mark.parametrize("talk", chosen, indirect=True, ids=ids)


def waits(_dialect: upstream.Dialect, offer: upstream.Offer) -> bool:
    return offer.waits


def comes_by_url(dialect: upstream.Dialect, offer: upstream.Offer) -> bool:
    return offer.waits and offer.kind not in states.WRITTEN and dialect.gone_status != 200


def throttles(dialect: upstream.Dialect, offer: upstream.Offer) -> bool:
    return offer.waits and bool(throttlings(dialect))


def throttlings(dialect: upstream.Dialect) -> list[upstream.Refusal]:
    throttled = [refusal for refusal in dialect.refusals if refusal.kind is faults.FaultKind.THROTTLED]
    return [refusal for refusal in throttled if refusal.model is None]


def knows(course: upstream.Course) -> Callable[[upstream.Dialect, upstream.Offer], bool]:
    return lambda dialect, offer: offer.waits and course in dialect.courses


def each_refusal() -> pytest.MarkDecorator:
    cases = [(dialect, offer, refusal) for dialect, offer in PAIRS for refusal in dialect.refusals]
    ids = [f"{dialect.name}-{offer.kind}-{refusal.name.replace(' ', '_')}" for dialect, offer, refusal in cases]
    pairs = [((dialect, offer), refusal) for dialect, offer, refusal in cases]
    return pytest.mark.parametrize(("talk", "refusal"), pairs, indirect=["talk"], ids=ids)


class TestAdapter:
    @over(waits)
    async def test_a_job_is_submitted_polled_and_fetched(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted()
        heard, outcome = await talk.ended(upstream_id)
        assert all(running.odd_status is None for running in heard)
        assert isinstance(outcome, base.Finished)
        assert len(outcome.sources) == 1
        media = await talk.fetched(outcome.sources[0])
        assert media == talk.offer.media or (talk.dialect.name == "sandbox" and media)
        assert len(talk.up.at(upstream.Place.SUBMIT)) == 1

    @over(lambda _dialect, offer: not offer.waits)
    async def test_an_answer_on_the_held_line_is_the_result(self, talk: talks.Talk) -> None:
        outcome = await talk.adapter().submit(talk.ask())
        assert isinstance(outcome, base.Finished), outcome
        assert len(outcome.sources) == 1
        media = await talk.fetched(outcome.sources[0])
        assert media == talk.offer.media or (talk.dialect.name == "sandbox" and media)

    @over()
    async def test_what_the_adapter_says_it_passes_on_is_in_the_request(self, talk: talks.Talk) -> None:
        await talk.adapter().submit(talk.ask())
        (sent,) = talk.up.at(upstream.Place.SUBMIT)
        # A picture in a form goes as its bytes.
        content = sent.content.replace(upstream.PICTURE, upstream.ENCODED_PICTURE.encode())
        missing = [trace for trace in asks.traces(talk.dialect, talk.fields) if trace not in content]
        assert not missing

    @over(lambda dialect, offer: offer.waits and bool(dialect.callback))
    async def test_a_callback_is_asked_for_where_there_is_one(self, talk: talks.Talk) -> None:
        await talk.accepted()
        (sent,) = talk.up.at(upstream.Place.SUBMIT)
        whole = sent.path.encode() + sent.content
        assert talk.dialect.callback.encode() in whole
        assert b"callbacks.example" in whole

    @over(lambda dialect, offer: offer.waits and dialect.says_progress)
    async def test_progress_is_a_percentage(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted(upstream.Course.HANGS)
        outcome = await talk.adapter().poll(upstream_id)
        assert isinstance(outcome, base.Running)
        assert outcome.progress is not None
        assert 0 <= outcome.progress <= 100

    @over(waits)
    async def test_a_finished_job_may_be_looked_at_again(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted()
        _, first = await talk.ended(upstream_id)
        _, second = await talk.ended(upstream_id)
        assert isinstance(second, base.Finished)
        assert first == second

    @each_refusal()
    async def test_a_refusal_is_told_with_its_kind_and_its_wait(
        self, talk: talks.Talk, refusal: upstream.Refusal
    ) -> None:
        talk.up.refusal = refusal
        outcome = await talk.adapter().submit(talk.ask(model=refusal.model))
        assert isinstance(outcome, base.Refused), outcome
        assert outcome.fault.kind is refusal.kind
        assert outcome.fault.retry_after_seconds == refusal.wait_seconds
        assert outcome.fault.message
        assert not talk.up.jobs

    @over(lambda dialect, _offer: dialect.wrong_key is not None)
    async def test_a_wrong_key_is_refused_as_such_and_ends_no_job(self, talk: talks.Talk) -> None:
        stranger = talk.adapter(key="wrong-key")
        outcome = await stranger.submit(talk.ask())
        assert isinstance(outcome, base.Refused)
        assert outcome.fault.kind is faults.FaultKind.AUTH
        if talk.offer.waits:
            upstream_id = await talk.accepted()
            assert isinstance(await stranger.poll(upstream_id), base.PollLost)

    @over()
    async def test_a_line_cut_after_the_bytes_left_is_doubt_and_is_not_asked_again(self, talk: talks.Talk) -> None:
        talk.up.troubles[upstream.Place.SUBMIT] = upstream.Trouble.CUT
        assert isinstance(await talk.adapter().submit(talk.ask()), base.Unknown)
        assert len(talk.up.at(upstream.Place.SUBMIT)) == 1

    @over()
    async def test_a_refused_connection_was_never_sent(self, talk: talks.Talk) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
            adapter = talk.adapter(url=f"http://127.0.0.1:{closed.getsockname()[1]}")
            outcome = await adapter.submit(talk.ask())
            assert isinstance(outcome, base.NotSent)
            assert outcome.fault.kind is faults.FaultKind.UNAVAILABLE
            if talk.offer.waits:
                assert isinstance(await adapter.poll("any-job"), base.PollLost)

    @over()
    @pytest.mark.parametrize("trouble", [upstream.Trouble.PAGE, upstream.Trouble.DOWN])
    async def test_an_answer_nobody_understands_is_doubt(self, talk: talks.Talk, trouble: upstream.Trouble) -> None:
        talk.up.troubles[upstream.Place.SUBMIT] = trouble
        assert isinstance(await talk.adapter().submit(talk.ask()), base.Unknown)

    @over()
    @pytest.mark.usefixtures("small_cap")
    async def test_an_endless_answer_is_cut_off_and_is_doubt(self, talk: talks.Talk) -> None:
        talk.up.troubles[upstream.Place.SUBMIT] = upstream.Trouble.ENDLESS
        assert isinstance(await talk.adapter().submit(talk.ask()), base.Unknown)
        assert talk.up.endless_bytes < MOST_READ_BYTES

    @over()
    @pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
    async def test_junk_for_an_answer_is_never_a_result(self, talk: talks.Talk, junk: bytes) -> None:
        upstream_id = await talk.accepted() if talk.offer.waits else ""
        talk.up.instead = dict.fromkeys(upstream.Place, junk)
        submitted = await talk.adapter().submit(talk.ask())
        assert not isinstance(submitted, base.Accepted | base.NotSent)
        assert not isinstance(submitted, base.Finished) or not submitted.sources
        if talk.offer.waits:
            polled = await talk.adapter().poll(upstream_id)
            assert not isinstance(polled, base.Finished) or not polled.sources
            assert await talk.adapter().cancel(upstream_id) in base.Cancellation

    @over(waits)
    @pytest.mark.parametrize("trouble", [upstream.Trouble.CUT, upstream.Trouble.PAGE, upstream.Trouble.DOWN])
    async def test_a_lost_poll_ends_no_job(self, talk: talks.Talk, trouble: upstream.Trouble) -> None:
        upstream_id = await talk.accepted()
        talk.up.troubles[upstream.Place.LOOK] = trouble
        lost = await talk.adapter().poll(upstream_id)
        assert isinstance(lost, base.PollLost)
        assert lost.retry_after_seconds == (9 if trouble is upstream.Trouble.DOWN else None)
        talk.up.troubles.clear()
        _, outcome = await talk.ended(upstream_id)
        assert isinstance(outcome, base.Finished)

    @over(waits)
    @pytest.mark.usefixtures("small_cap")
    async def test_an_endless_poll_is_a_lost_one(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted()
        talk.up.troubles[upstream.Place.LOOK] = upstream.Trouble.ENDLESS
        assert isinstance(await talk.adapter().poll(upstream_id), base.PollLost)
        assert talk.up.endless_bytes < MOST_READ_BYTES

    @over(throttles)
    async def test_a_throttled_poll_ends_no_job_and_tells_how_long_to_wait(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted()
        throttled = throttlings(talk.dialect)[-1]
        talk.up.instead[upstream.Place.LOOK] = throttled
        lost = await talk.adapter().poll(upstream_id)
        assert isinstance(lost, base.PollLost)
        assert lost.retry_after_seconds == throttled.wait_seconds

    @over(knows(upstream.Course.FAILS))
    async def test_a_job_that_failed_says_so(self, talk: talks.Talk) -> None:
        _, outcome = await talk.ended(await talk.accepted(upstream.Course.FAILS))
        assert isinstance(outcome, base.Failed)
        assert outcome.fault.kind is talk.dialect.failure
        assert outcome.fault.message

    @over(knows(upstream.Course.MODERATED))
    async def test_a_job_that_was_moderated_late_is_a_matter_of_policy(self, talk: talks.Talk) -> None:
        _, outcome = await talk.ended(await talk.accepted(upstream.Course.MODERATED))
        assert isinstance(outcome, base.Failed)
        assert outcome.fault.kind is faults.FaultKind.CONTENT_POLICY

    @over(lambda _dialect, offer: offer.moderated is not None)
    async def test_a_moderated_answer_on_the_held_line_is_a_matter_of_policy(self, talk: talks.Talk) -> None:
        talk.up.instead[upstream.Place.SUBMIT] = orjson.dumps(talk.offer.moderated)
        outcome = await talk.adapter().submit(talk.ask())
        assert isinstance(outcome, base.Failed)  # not Refused: work was done, and may be charged
        assert outcome.fault.kind is faults.FaultKind.CONTENT_POLICY

    @over(knows(upstream.Course.EMPTY))
    async def test_done_without_media_is_done_with_nothing(self, talk: talks.Talk) -> None:
        _, outcome = await talk.ended(await talk.accepted(upstream.Course.EMPTY))
        assert isinstance(outcome, base.Finished)
        assert outcome.sources == ()

    @over(knows(upstream.Course.ODD))
    async def test_a_status_nobody_knows_counts_as_running(self, talk: talks.Talk) -> None:
        heard, outcome = await talk.ended(await talk.accepted(upstream.Course.ODD))
        assert isinstance(outcome, base.Finished)
        assert any(running.odd_status for running in heard)

    @over(waits)
    async def test_a_job_the_provider_does_not_know_has_failed(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted()
        head, _, _ = upstream_id.rpartition("/")
        outcome = await talk.adapter().poll(f"{head}/nobody" if head else "nobody")
        assert isinstance(outcome, base.Failed)
        assert outcome.fault.kind is faults.FaultKind.NOT_FOUND

    @over(waits)
    async def test_cancelling_says_truthfully_what_came_of_it(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted(upstream.Course.HANGS)
        assert await talk.adapter().cancel(upstream_id) in talk.dialect.cancels

    @over(lambda dialect, offer: offer.waits and base.Cancellation.UNSUPPORTED not in dialect.cancels)
    async def test_a_cancel_whose_answer_was_lost_is_a_request(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted(upstream.Course.HANGS)
        talk.up.troubles[upstream.Place.STOP] = upstream.Trouble.CUT
        assert await talk.adapter().cancel(upstream_id) is base.Cancellation.REQUESTED

    @over(comes_by_url)
    async def test_a_dead_result_url_is_seen_as_dead_and_the_job_can_be_asked_again(self, talk: talks.Talk) -> None:
        upstream_id = await talk.accepted()
        _, outcome = await talk.ended(upstream_id)
        assert isinstance(outcome, base.Finished)
        talk.up.media_gone = True
        with pytest.raises(downloads.DeadUrlError):
            await talk.fetched(outcome.sources[0])
        talk.up.media_gone = False
        _, fresh = await talk.ended(upstream_id)
        assert isinstance(fresh, base.Finished)
        assert await talk.fetched(fresh.sources[0])

    @over()
    async def test_no_other_host_gets_the_key(self, talk: talks.Talk) -> None:
        adapter = talk.adapter()
        for url in ("https://cdn.example/videos/1/content", f"{talk.up.url}0/videos/1/content", "not a url"):
            assert adapter.download_headers(url) == {}

    @over()
    async def test_a_submit_that_may_not_be_repeated_opens_a_connection_of_its_own(self, talk: talks.Talk) -> None:
        for _ in range(2):
            await talk.adapter().submit(talk.ask())
        first, second = (sent.peer for sent in talk.up.at(upstream.Place.SUBMIT))
        keyed = talk.adapter().doubt is models.Doubt.KEYED
        assert (first == second) is keyed

    @over(waits)
    async def test_its_class_of_doubt_is_what_it_says(self, talk: talks.Talk) -> None:
        adapter, ask = talk.adapter(), talk.ask()
        assert adapter.doubt is talk.dialect.doubt
        if adapter.doubt is not models.Doubt.SEARCHABLE:
            return
        assert await adapter.find(ask.reference) is None
        talk.up.troubles[upstream.Place.SUBMIT] = upstream.Trouble.CUT
        assert isinstance(await adapter.submit(ask), base.Unknown)
        found = await adapter.find(ask.reference)
        assert isinstance(found, base.Accepted)
        _, outcome = await talk.ended(found.upstream_id)
        assert isinstance(outcome, base.Finished)
        talk.up.troubles[upstream.Place.LOOK] = upstream.Trouble.DOWN
        with pytest.raises(base.LookupFailedError):
            await adapter.find(ask.reference)

    @over(lambda dialect, _offer: dialect.doubt is models.Doubt.NEITHER)
    async def test_a_provider_that_cannot_be_searched_says_so(self, talk: talks.Talk) -> None:
        with pytest.raises(base.LookupFailedError):
            await talk.adapter().find("job_1.1")
