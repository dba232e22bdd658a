"""Opening what a provider delivered: `completed` promises that it is what it claims to be (promise P4)."""

import asyncio
import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.domain import states
from shared.storage import films, forms, pictures, unusable

TEXT_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a file is, by its own bytes. Sizes in pixels; None where the kind has no such thing."""

    media_type: str
    extension: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None


async def inspect(path: Path, kind: states.Kind) -> Inspected:
    """Open the file in a thread, to its end, and say what it is.
    Raises UnusableOutputError if it is broken, cut short, empty, or of another kind than `kind`.
    """
    return await asyncio.to_thread(_INSPECTORS[kind], path)


def _video(path: Path) -> Inspected:
    form = _form(path, states.Kind.VIDEO)
    film = films.examine(path, form)
    return Inspected(form.media_type, form.extension, film.width, film.height, film.duration_seconds)


def _image(path: Path) -> Inspected:
    form = _form(path, states.Kind.IMAGE)
    width, height = pictures.examine(path, form)
    return Inspected(form.media_type, form.extension, width, height)


def _text(path: Path) -> Inspected:
    decoder = codecs.getincrementaldecoder("utf-8")()
    blank = True
    try:
        with path.open("rb") as file:
            while chunk := file.read(TEXT_CHUNK_BYTES):
                text = decoder.decode(chunk)
                if "\0" in text:
                    raise unusable.UnusableOutputError("The text holds NUL bytes.")
                blank = blank and not text.strip()
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise unusable.UnusableOutputError("The text is not UTF-8.") from error
    if blank:
        raise unusable.UnusableOutputError("The text is empty.")
    return Inspected(forms.TEXT.media_type, forms.TEXT.extension)


def _form(path: Path, kind: states.Kind) -> forms.Form:
    with path.open("rb") as file:
        head = file.read(forms.HEAD_BYTES)
    if not head:
        raise unusable.UnusableOutputError("The file is empty.")
    form = forms.form_of(head)
    if form is None:
        raise unusable.UnusableOutputError(f"The bytes are no {kind} of a form we know.")
    if form.kind is not kind:
        raise unusable.UnusableOutputError(f"Asked for {kind}, the bytes are {form.media_type}.")
    return form


_INSPECTORS: Mapping[states.Kind, Callable[[Path], Inspected]] = {
    states.Kind.VIDEO: _video,
    states.Kind.IMAGE: _image,
    states.Kind.TEXT: _text,
    # What the text says was looked at before (domain/vectors.py).
    states.Kind.EMBEDDING: _text,
}
