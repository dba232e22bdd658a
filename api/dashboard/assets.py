"""Scripts, styles and the icon: files of ours, and nothing from elsewhere."""

import fastapi
from fastapi import responses

from api.dashboard import words
from shared import errors

router = fastapi.APIRouter(include_in_schema=False)

_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in words.ASSETS.iterdir() if path.suffix in _TYPES}


@router.get("/assets/{name}")
async def asset(name: str) -> fastapi.Response:
    """One file. Its URL changes with its bytes (`words.asset`), so it may be kept for ever."""
    path = _FILES.get(name)
    if path is None:
        raise errors.NotFoundError
    return responses.FileResponse(
        path, media_type=_TYPES[path.suffix], headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )
