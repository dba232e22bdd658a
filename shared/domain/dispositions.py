"""The Content-Disposition of a download (RFC 6266)."""

import re
from urllib import parse

_UNSAFE = re.compile(r'[^ -~]|["\\/%;]')
# What RFC 5987 allows unescaped in `filename*`, besides letters and digits.
_PLAIN = "!#$&+-.^_`|~"
LONGEST_NAME = 150


def content_disposition(filename: str, *, inline: bool) -> str:
    """`inline` or `attachment` with the name in both forms: plain ASCII for old clients, UTF-8 for the others."""
    name = filename.replace("/", "_").replace("\\", "_").strip()[:LONGEST_NAME] or "download"
    kind = "inline" if inline else "attachment"
    escaped = parse.quote(name, safe=_PLAIN, errors="replace")
    return f"{kind}; filename=\"{_UNSAFE.sub('_', name)}\"; filename*=UTF-8''{escaped}"
