"""How pages write numbers, times and states."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from shared import clock

ASSETS = Path(__file__).parent / "assets"
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def usd(micros: int) -> str:
    """Dollars as people read them: `$0.20`, `$0.0005`."""
    whole, _, rest = f"{micros / 1_000_000:.6f}".rstrip("0").partition(".")
    return f"${whole}.{rest:0<2}"


def size(count: float) -> str:
    """Bytes in three digits: `163 kB`."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def seconds(value: float | timedelta | None) -> str:
    """A length of time in its largest units: `3 min 20 s`."""
    if value is None:
        return "-"
    total = value.total_seconds() if isinstance(value, timedelta) else value
    if total < 10:
        return f"{max(total, 0):.1f} s"
    for place, (length, unit) in enumerate(_UNITS[:-1]):
        if total >= length:
            smaller, name = _UNITS[place + 1]
            rest = int(total % length) // smaller
            return f"{int(total // length)} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{int(total)} s"


def ago(moment: datetime) -> str:
    """How long ago: `2 min ago`."""
    passed = (clock.now() - moment).total_seconds()
    if passed < 5:
        return "just now"
    for length, unit in _UNITS:
        if passed >= length:
            return f"{int(passed // length)} {unit} ago"
    return "just now"


def moment(value: datetime) -> str:
    """A time to the second, in UTC."""
    return value.strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(value: datetime) -> str:
    """The time of day to the millisecond."""
    return value.strftime("%H:%M:%S.") + f"{value.microsecond // 1000:03d}"


def state(value: str) -> str:
    """A status as people say it."""
    return value.replace("_", " ")


def pretty(value: Any) -> str:  # noqa: ANN401 - any JSON
    """JSON to be read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def short(job_id: str) -> str:
    """The end of an id: the part that differs."""
    return f"…{job_id[-8:]}"


def asset(name: str) -> str:
    """The URL of a file of ours; it changes with the file, so that browsers may keep it."""
    return f"/assets/{name}?v={_fingerprint(name)}"


@lru_cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12]


FILTERS: Mapping[str, Callable[..., str]] = {
    "usd": usd,
    "size": size,
    "seconds": seconds,
    "ago": ago,
    "moment": moment,
    "clock_time": clock_time,
    "state": state,
    "pretty": pretty,
    "short": short,
    "asset": asset,
}
