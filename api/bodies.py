"""Reading JSON bodies, more strictly than Python's parser: what we take, Postgres must be able to store."""

from typing import Any

import fastapi
import orjson

from shared import errors


class JsonRequest(fastapi.Request):
    """A request whose `json()` takes RFC 8259 objects only: UTF-8, no NaN, no lone surrogates, no NUL."""

    async def json(self) -> Any:  # noqa: ANN401 - the signature of Starlette
        """The parsed body. Raises InvalidJsonError and InvalidRequestError."""
        if not hasattr(self, "_json"):
            self._json = _parse(await self.body())
        return self._json


def check_media_type(request: fastapi.Request) -> None:
    """Raise UnsupportedMediaTypeError unless the body is declared as plain JSON."""
    declared = request.headers.get("content-type", "")
    media_type, _, parameters = declared.partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8", "charset=utf8"):
        raise errors.UnsupportedMediaTypeError(param="Content-Type", accepted=["application/json"])
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise errors.UnsupportedMediaTypeError(
            "Send the body without compression.", param="Content-Encoding", accepted=["identity"]
        )


def _parse(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    if not body.strip():
        raise errors.InvalidJsonError("The body is empty; send a JSON object.")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Not the text around it: it may be a prompt.
        raise errors.InvalidJsonError(
            f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    if not isinstance(parsed, dict):
        raise errors.InvalidRequestError("The body must be a JSON object.", accepted=["object"])
    # Postgres stores no NUL. Cheap to rule out; only if one may be there the strings are searched.
    if b"\\u0000" in body and (where := _find_nul(parsed, "")) is not None:
        raise errors.InvalidRequestError("Text may not hold the character U+0000.", param=where or None)
    return parsed


def _find_nul(value: Any, path: str) -> str | None:  # noqa: ANN401 - any JSON
    """The path of the first string with a NUL."""
    if isinstance(value, str):
        return path if "\0" in value else None
    if isinstance(value, list):
        return next((w for i, v in enumerate(value) if (w := _find_nul(v, f"{path}[{i}]")) is not None), None)
    if isinstance(value, dict):
        return next((w for k, v in value.items() if (w := _in_member(k, v, path)) is not None), None)
    return None


def _in_member(name: str, value: Any, path: str) -> str | None:  # noqa: ANN401 - any JSON
    return path if "\0" in name else _find_nul(value, f"{path}.{name}" if path else name)
