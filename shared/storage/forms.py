"""Which form of file some bytes are, told by how they begin and never by what a provider calls them."""

from dataclasses import dataclass

from shared.domain import states

# How many bytes `form_of` needs to be sure; fewer are enough for a shorter file.
HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Form:
    """A form of file we take, with the names Pillow or FFmpeg know it by."""

    media_type: str
    extension: str
    kind: states.Kind
    decoder: str


MP4 = Form("video/mp4", "mp4", states.Kind.VIDEO, "mov")
MOV = Form("video/quicktime", "mov", states.Kind.VIDEO, "mov")
WEBM = Form("video/webm", "webm", states.Kind.VIDEO, "matroska")
PNG = Form("image/png", "png", states.Kind.IMAGE, "PNG")
JPEG = Form("image/jpeg", "jpg", states.Kind.IMAGE, "JPEG")
WEBP = Form("image/webp", "webp", states.Kind.IMAGE, "WEBP")
GIF = Form("image/gif", "gif", states.Kind.IMAGE, "GIF")
TEXT = Form("text/plain; charset=utf-8", "txt", states.Kind.TEXT, "")
JSON = Form("application/json", "json", states.Kind.TEXT, "")

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
)
# An `ftyp` box with one of these brands is a still picture (HEIC, AVIF) or sound, not a film.
_OTHER_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"M4A ", b"M4B ")
_OLD_QUICKTIME = (b"moov", b"wide", b"mdat", b"free", b"skip")


def form_of(head: bytes) -> Form | None:
    """The video or image form a file beginning with `head` (HEAD_BYTES or more) must be; None if we take no such."""
    for beginning, form in _BEGINNINGS:
        if head.startswith(beginning):
            return form
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head[:HEAD_BYTES]:
        return WEBM
    return _film_in_boxes(head)


def _film_in_boxes(head: bytes) -> Form | None:
    if head[4:8] in _OLD_QUICKTIME:
        return MOV
    if head[4:8] != b"ftyp" or head[8:12] in _OTHER_BRANDS:
        return None
    return MOV if head[8:12] == b"qt  " else MP4
