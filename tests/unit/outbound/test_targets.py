"""Which URLs may be called: every rule, every disguise of an address we know of."""

import ipaddress

import pytest

from shared.outbound import addresses, targets

Rule = targets.Rule


def answering(*found: str) -> targets.Lookup:
    async def lookup(_host: str, _port: int) -> list[str]:
        return list(found)

    return lookup


PUBLIC = targets.Guard(lookup=answering("93.184.216.34", "2606:2800:220:1::1"))

REFUSED = [
    ("https://example.com/" + "a" * 8200, Rule.TOO_LONG),
    ("https://exa mple.com/", Rule.BAD_CHARACTER),
    ("https://example.com/\r\nHost: evil", Rule.BAD_CHARACTER),
    ("https://example.com\\@127.0.0.1/", Rule.BAD_CHARACTER),
    ("https://example.com/\t", Rule.BAD_CHARACTER),
    ("not a url".replace(" ", "-"), Rule.NOT_A_URL),
    ("https:///path", Rule.NOT_A_URL),
    ("ftp://example.com/", Rule.NOT_A_URL),
    ("file:///etc/passwd", Rule.NOT_A_URL),
    ("//example.com/", Rule.NOT_A_URL),
    ("https://example.com:99999/", Rule.NOT_A_URL),
    ("https://[::1/", Rule.NOT_A_URL),
    ("http://example.com/", Rule.NOT_HTTPS),
    ("https://user@example.com/", Rule.CREDENTIALS),
    ("https://user:secret@example.com/", Rule.CREDENTIALS),
    ("https://example.com@127.0.0.1/", Rule.CREDENTIALS),
    ("https://:@example.com/", Rule.CREDENTIALS),
    ("https://example.com:22/", Rule.PORT),
    ("https://example.com:6379/", Rule.PORT),
    ("https://2130706433/", Rule.ODD_HOST),
    ("https://0x7f000001/", Rule.ODD_HOST),
    ("https://0x7f.0.0.1/", Rule.ODD_HOST),
    ("https://127.1/", Rule.ODD_HOST),
    ("https://0177.0.0.1/", Rule.ODD_HOST),
    ("https://127.0.0.1./", Rule.ODD_HOST),
    ("https://" + "a." * 130 + "com/", Rule.ODD_HOST),
    ("https://127.0.0.1/", Rule.FORBIDDEN_ADDRESS),
    ("https://169.254.169.254/latest/meta-data", Rule.FORBIDDEN_ADDRESS),
    ("https://168.63.129.16/", Rule.FORBIDDEN_ADDRESS),
    ("https://100.100.100.200/", Rule.FORBIDDEN_ADDRESS),
    ("https://192.168.1.10/", Rule.FORBIDDEN_ADDRESS),
    ("https://[::1]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[::]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[::ffff:127.0.0.1]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[::ffff:7f00:1]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[::7f00:1]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[64:ff9b::7f00:1]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[64:ff9b::a9fe:a9fe]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[64:ff9b:1::1]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[2002:7f00:1::]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[fd00:ec2::254]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[fe80::1%25eth0]/", Rule.FORBIDDEN_ADDRESS),
    ("https://[ff02::1]/", Rule.FORBIDDEN_ADDRESS),
]


@pytest.mark.parametrize(("url", "rule"), REFUSED, ids=[url[:40] for url, _ in REFUSED])
async def test_it_is_refused_by_its_rule(url: str, rule: targets.Rule) -> None:
    with pytest.raises(targets.ForbiddenTargetError) as refused:
        await PUBLIC.examine(url)
    assert refused.value.rule is rule


@pytest.mark.parametrize("host", ["\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1"])
async def test_digits_in_other_scripts_are_no_way_in(host: str) -> None:
    with pytest.raises(targets.ForbiddenTargetError):
        await PUBLIC.examine(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook?a=b#c",
        "https://example.com:443/",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1::1]/",
        "https://b\u00fccher.example/",
        "https://example.com/user@home",
    ],
)
async def test_it_is_allowed(url: str) -> None:
    await PUBLIC.examine(url)


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"])
async def test_one_bad_answer_among_good_ones_refuses_the_name(bad: str) -> None:
    guard = targets.Guard(lookup=answering("93.184.216.34", bad))
    with pytest.raises(targets.ForbiddenTargetError) as refused:
        await guard.examine("https://rebinding.example/")
    assert refused.value.rule is Rule.FORBIDDEN_ADDRESS


async def test_a_name_without_an_address_does_not_resolve() -> None:
    async def fails(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    for lookup in (answering(), fails):
        with pytest.raises(targets.ForbiddenTargetError) as refused:
            await targets.Guard(lookup=lookup).examine("https://nowhere.example/")
        assert refused.value.rule is Rule.UNRESOLVABLE


def test_private_networks_are_said_once_this_machine_and_metadata_twice() -> None:
    everything = addresses.parse_networks(["0.0.0.0/0", "::/0"])
    once = ["10.1.2.3", "192.168.1.10", "fd12::1", "100.64.0.1"]
    twice = ["127.0.0.1", "169.254.169.254", "168.63.129.16", "100.100.100.200", "::1", "fd00:ec2::254", "fe80::1"]
    for text in (*once, *twice):
        address = ipaddress.ip_address(text)
        assert not addresses.is_allowed(address, ())
        assert not addresses.is_allowed(address, (), everything)
        assert addresses.is_allowed(address, everything) is (text in once)
        assert addresses.is_allowed(address, everything, everything)


# reference/standards.md §2.3: what other libraries let through.
@pytest.mark.parametrize(
    "text",
    [
        *("100.64.0.1", "168.63.129.16", "192.0.0.8", "192.88.99.1", "224.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
        *("2002:7f00:1::", "fec0::1", "ff02::1", "3fff::1", "5f00::1", "::7f00:1", "0.0.0.1", "255.255.255.255"),
    ],
)
def test_what_others_let_through_is_blocked(text: str) -> None:
    assert not addresses.is_allowed(ipaddress.ip_address(text), ())


def test_nat64_of_a_public_address_is_public() -> None:
    assert addresses.is_allowed(ipaddress.ip_address("64:ff9b::5db8:d822"), ())
