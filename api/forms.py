"""Bodies as dialects' clients send them: JSON, or a form whose field names may be paths such as `video[id]`."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import fastapi
import pydantic
from fastapi import exceptions
from starlette import datastructures
from starlette import exceptions as starlette_exceptions

from api import bodies, validation
from shared import errors
from shared.domain import states
from shared.storage import forms

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")
MOST_FIELDS = 1000
MOST_FILES = 20

_STEP = re.compile(r"\[([^\[\]]*)\]")
_PATH = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

Body = TypeVar("Body", bound=pydantic.BaseModel)


async def read(request: fastapi.Request) -> dict[str, Any]:
    """The fields of a JSON or form body; files are `UploadFile`, everything else in a form is a string.
    Raises InvalidJsonError, InvalidRequestError, UnsupportedMediaTypeError.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in FORM_TYPES:
        bodies.check_media_type(request)
        fields: dict[str, Any] = await bodies.JsonRequest(request.scope, request.receive).json()
        return fields
    return _nested(await _form(request))


async def _form(request: fastapi.Request) -> datastructures.FormData:
    limit_bytes = request.app.state.parts.settings.max_body_bytes
    try:
        return await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=limit_bytes)
    except (starlette_exceptions.HTTPException, KeyError) as error:
        # A missing boundary is a KeyError.
        said = getattr(error, "detail", "its boundary is missing")
        raise errors.InvalidRequestError(f"The form cannot be read: {said}", param="Content-Type") from None


def _nested(form: datastructures.FormData) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in form.multi_items():
        if "\0" in name or (isinstance(value, str) and "\0" in value):
            raise errors.InvalidRequestError("Text may not hold the character U+0000.", param=name[:200] or None)
        _put(nested, name, value)
    return nested


def _put(nested: dict[str, Any], name: str, value: object) -> None:
    """`opts[a]` goes into a dict, `names[]` and a repeated name into a list."""
    found = _PATH.fullmatch(name)
    steps = [found[1], *_STEP.findall(found[2])] if found else [name]
    if steps[-1] == "" and len(steps) > 1:
        steps, value = steps[:-1], [value]
    place: dict[str, Any] = nested
    for step in steps[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            raise errors.InvalidRequestError("This field is given twice, in two forms.", param=name[:200])
        place = inner
    place[steps[-1]] = _joined(place[steps[-1]], value) if steps[-1] in place else value


def _joined(before: object, value: object) -> list[Any]:
    first = before if isinstance(before, list) else [before]
    return [*first, *(value if isinstance(value, list) else [value])]


def parse(model: type[Body], fields: Mapping[str, Any], *, strict: bool = True) -> Body:
    """The fields as a request of ours; not strict for forms, where a number is a string. Raises InvalidRequestError
    and its kin, naming the field.
    """
    try:
        return model.model_validate(fields, strict=None if strict else False)
    except pydantic.ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise validation.of_pydantic(exceptions.RequestValidationError(faults).errors(), model) from None


async def data_url(upload: datastructures.UploadFile, param: str) -> str:
    """An uploaded picture as a `data:` URL. Its type is told from its bytes: clients send `application/octet-stream`
    and the name `upload`. Raises InvalidRequestError.
    """
    return picture_url(await upload.read(), param)


def picture_url(body: bytes, param: str) -> str:
    """A picture's bytes as a `data:` URL. Raises InvalidRequestError for anything but a picture."""
    form = forms.form_of(body[: forms.HEAD_BYTES])
    if form is None or form.kind is not states.Kind.IMAGE:
        raise errors.InvalidRequestError(
            "This is no picture we can read.", param=param, accepted=["image/png", "image/jpeg", "image/webp"]
        )
    return f"data:{form.media_type};base64,{base64.b64encode(body).decode()}"


def listed(value: object) -> Sequence[Any]:
    """One or several: always a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def refuse_unknown(fields: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise UnknownFieldError for a field that is not known."""
    for name in fields:
        if name not in known:
            raise errors.UnknownFieldError(
                f"{name[:200]} is not a field of this request.", param=name[:200], accepted=sorted(known)
            )


def refuse_unless_neutral(fields: Mapping[str, Any], neutral: Mapping[str, Sequence[object]], within: str = "") -> None:
    """Raise UnsupportedValueError for a field we know but cannot honour, unless its value asks for nothing.
    `within` is the path of the object the fields are in, with its dot.
    """
    for name, values in neutral.items():
        if fields.get(name) is not None and fields[name] not in values:
            param = f"{within}{name}"
            raise errors.UnsupportedValueError(
                f"{param} cannot be chosen here; leave it out.", param=param, accepted=values or None
            )
