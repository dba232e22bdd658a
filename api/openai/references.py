"""Pictures that go with a request: uploaded with it, named by a file's id, or by a URL."""

from typing import Any

from starlette import datastructures

from api import auth, forms, parts
from shared import clock, errors
from shared.services import files

# Longer, and it would not fit into a request of ours.
MOST_BYTES = 5 * 1024 * 1024


async def url_of(given: parts.Parts, caller: auth.Caller, value: Any, param: str) -> str:  # noqa: ANN401 - anything sent
    """The picture as a URL our requests take. Raises InvalidRequestError, NotFoundError, TooLargeError."""
    if isinstance(value, datastructures.UploadFile):
        _check_size(value.size or 0, param)
        return await forms.data_url(value, param)
    match value:
        case {"image_url": str(url), **rest} if not rest:
            return url
        case {"file_id": str(file_id), **rest} if not rest:
            return await _of_file(given, caller, file_id, param)
    raise errors.InvalidRequestError(
        f"{param} must be a file, or an object with either file_id or image_url.",
        param=param,
        accepted=["file", "file_id", "image_url"],
    )


async def _of_file(given: parts.Parts, caller: auth.Caller, file_id: str, param: str) -> str:
    file = await files.get(given.db, caller.tenant_id, file_id, clock.now())
    _check_size(file.size_bytes, param)
    download = await files.open_bytes(given.store, file.key)
    return forms.picture_url(b"".join([chunk async for chunk in download.chunks]), param)


def _check_size(size_bytes: int, param: str) -> None:
    if size_bytes > MOST_BYTES:
        raise errors.TooLargeError(f"{param} has {size_bytes} bytes; {MOST_BYTES} are taken.", param=param)
