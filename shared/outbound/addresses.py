"""Which addresses the world may make us call. `ipaddress.is_global` is not enough: it passes NAT64, multicast,
6to4 and Azure's wire server (reference/standards.md §2.3). The table is the union of Svix's and Microsoft's.
"""

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_BLOCKED_V4 = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15
198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
"""
_BLOCKED_V6 = """
::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16
fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""
# This machine itself, and what a cloud tells the machines in it (AWS, Azure, Alibaba; others use 169.254/16).
_LOCAL = """
0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 168.63.129.16/32 100.100.100.200/32 ::/96 fe80::/10 fd00:ec2::254/128
"""


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """CIDR texts as networks; raises ValueError naming the bad one."""
    return tuple(ipaddress.ip_network(text) for text in texts)


BLOCKED = parse_networks((_BLOCKED_V4 + _BLOCKED_V6).split())
LOCAL = parse_networks(_LOCAL.split())
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_allowed(address: Address, allowed: Sequence[Network], allowed_local: Sequence[Network] = ()) -> bool:
    """Whether an outbound request may go to this address. A private one must be in `allowed`; one that is this
    machine or a metadata service must be in `allowed_local` as well.
    """
    plain = unwrap(address)
    if not _within(plain, BLOCKED) and not _within(plain, LOCAL):
        return True
    return _within(plain, allowed) and (not _within(plain, LOCAL) or _within(plain, allowed_local))


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def unwrap(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped or NAT64 one; else the address without its zone."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return ipaddress.IPv6Address(int(address))
    return address
