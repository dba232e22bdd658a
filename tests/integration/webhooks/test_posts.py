"""The guarded connection: TLS asks for the name, the address is the one that was vetted, the bytes are bounded."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from shared.outbound import downloads, posts, targets
from tests.integration.webhooks import conftest, desk

NAME = "hooks.example"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def secure_desk(authority: trustme.CA) -> AsyncIterator[desk.Desk]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(context)
    async with desk.opened(context) as made:
        yield made


class Names:
    """A name server that answers each question with the next of its answers, and the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def guard(lookup: targets.Lookup) -> targets.Guard:
    allowed = conftest.LOOPBACK
    return targets.Guard(allowed, allowed, allow_http=True, ports=frozenset(), lookup=lookup)


async def post(made: posts.Poster, url: str) -> posts.Posted:
    try:
        return await made.post(url, {"content-type": "application/json"}, b"{}")
    finally:
        await made.close()


async def test_tls_checks_the_name_while_the_vetted_address_is_dialled(
    secure_desk: desk.Desk, trusting: ssl.SSLContext
) -> None:
    names = Names(["127.0.0.1"])
    posted = await post(posts.Poster(guard(names), tls=trusting), f"https://{NAME}:{secure_desk.port}/hook")
    assert posted.answer is not None
    assert (posted.answer.status, posted.answer.head, posted.address) == (200, b"seen", "127.0.0.1")
    assert names.asked == [NAME]
    assert secure_desk.got[0].headers["Host"] == f"{NAME}:{secure_desk.port}"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
async def test_a_certificate_for_another_name_is_refused(
    secure_desk: desk.Desk, trusting: ssl.SSLContext, host: str
) -> None:
    posted = await post(
        posts.Poster(guard(Names(["127.0.0.1"])), tls=trusting), f"https://{host}:{secure_desk.port}/hook"
    )
    assert (posted.answer, posted.error) == (None, "tls")
    assert secure_desk.got == []


async def test_a_certificate_nobody_vouches_for_is_refused(secure_desk: desk.Desk) -> None:
    posted = await post(posts.Poster(guard(Names(["127.0.0.1"]))), f"https://{NAME}:{secure_desk.port}/hook")
    assert posted.error == "tls"
    assert secure_desk.got == []


@pytest.mark.parametrize("then", [["169.254.169.254"], ["127.0.0.1", "10.0.0.1"], ["::ffff:169.254.169.254"]])
async def test_a_name_that_means_another_address_later_is_refused_then(
    receiver_desk: desk.Desk, then: list[str]
) -> None:
    names = Names(["127.0.0.1"], then)
    rules = guard(names)
    url = f"http://{NAME}:{receiver_desk.port}/hook"
    await rules.examine(url)  # when the receiver was registered
    posted = await post(posts.Poster(rules), url)
    assert (posted.answer, posted.error, posted.address) == (None, "forbidden_address", None)
    assert receiver_desk.got == []


async def test_a_literal_is_vetted_though_it_is_never_looked_up(receiver_desk: desk.Desk) -> None:
    strict = targets.Guard(allow_http=True, ports=frozenset(), lookup=Names(["93.184.216.34"]))
    posted = await post(posts.Poster(strict), receiver_desk.url())
    assert posted.error == "forbidden_address"
    assert receiver_desk.got == []


@pytest.mark.parametrize(("mode", "error"), [("hang", "timeout"), ("drip", "timeout"), ("cut", "disconnected")])
async def test_no_answer_is_a_class_of_error(receiver_desk: desk.Desk, mode: str, error: str) -> None:
    receiver_desk.mode = mode
    posted = await post(posts.Poster(conftest.GUARD, total_seconds=0.5), receiver_desk.url())
    assert (posted.answer, posted.error, posted.address) == (None, error, "127.0.0.1")


async def test_a_large_answer_is_read_no_further_than_shown(receiver_desk: desk.Desk) -> None:
    receiver_desk.mode = "big"
    posted = await post(posts.Poster(conftest.GUARD), receiver_desk.url())
    assert posted.answer is not None
    assert len(posted.answer.head) == posts.HEAD_BYTES


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(receiver_desk: desk.Desk) -> None:
    poster = posts.Poster(conftest.GUARD)
    first = await poster.post(receiver_desk.url(), {}, b"{}")
    await receiver_desk.close()
    await receiver_desk.open()
    second = await post(poster, receiver_desk.url())
    assert first.answer is not None
    assert second.answer is not None


@pytest.mark.parametrize(
    ("modes", "headers"),
    [({}, {}), ({"/hook": "302"}, {"Location": "http://169.254.169.254/latest/meta-data"})],
)
async def test_a_providers_result_url_goes_through_the_same_guard(
    receiver_desk: desk.Desk, modes: dict[str, str], headers: dict[str, str]
) -> None:
    receiver_desk.modes, receiver_desk.answer_headers = modes, headers
    rules = conftest.GUARD if modes else targets.Guard(ports=frozenset())
    downloader = downloads.Downloader(frozenset(), rules)
    with pytest.raises(downloads.ForbiddenUrlError):
        async with downloader.fetch(receiver_desk.url(), {}):
            pass
    await downloader.close()
    assert len(receiver_desk.got) == len(modes)
