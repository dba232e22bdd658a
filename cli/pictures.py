"""Pictures given on the command line: a URL as it is, a file as a data URL."""

import base64
import mimetypes
from pathlib import Path


def url(place: str | None) -> str:
    """The URL the API takes. Raises OSError for a file that cannot be read, ValueError for one that is no picture."""
    if place is None or place.startswith(("https://", "http://", "data:")):
        return place or ""
    media_type = mimetypes.guess_type(place)[0] or ""
    if not media_type.startswith("image/"):
        raise ValueError(f"{place} is not a picture by its name.")
    return f"data:{media_type};base64,{base64.b64encode(Path(place).read_bytes()).decode()}"
