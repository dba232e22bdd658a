"""Opening videos with PyAV, to the end. Blocking; call in a thread."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av import container, error, packet, stream
from av.video import stream as video_stream

from shared.storage import boxes, forms, unusable

MOST_PIXELS = 8192 * 8192
# How much earlier than promised a stream may end. Headers round, and sound rarely ends with the picture.
SLACK_SECONDS = 0.25
SLACK_SHARE = 0.02
FAR_BEYOND = 2**62


@dataclass(frozen=True, slots=True)
class Film:
    """What a video is, measured."""

    width: int
    height: int
    duration_seconds: float


@dataclass(slots=True)
class _Reach:
    """How far a stream's packets really go, in seconds from its start."""

    begin: float = 0.0
    end: float = 0.0
    count: int = 0

    def add(self, part: packet.Packet[stream.Stream]) -> None:
        at = part.pts if part.pts is not None else part.dts
        if at is None or part.time_base is None:
            return
        first = float(at * part.time_base)
        self.begin = first if self.count == 0 else min(self.begin, first)
        self.end = max(self.end, first + float((part.duration or 0) * part.time_base))
        self.count += 1

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(slots=True)
class _Reading:
    """One pass over a file: the reach of every stream, and whether a key frame was decoded."""

    reaches: dict[int, _Reach] = field(default_factory=dict)
    pictures: int = 0


def examine(path: Path, form: forms.Form) -> Film:
    """Size and duration, once the file was read to its end and its key frames and last frames were decoded.
    Raises UnusableOutputError for a broken or cut file. A WebM without a duration in its head (a live recording)
    that is cut between two frames cannot be told from a whole one.
    """
    if form.decoder == forms.MP4.decoder and (missing := boxes.missing_bytes(path)):
        raise unusable.UnusableOutputError(f"The video is cut short: at least {missing} bytes are missing.")
    try:
        with opened(path, form) as file:
            film = _examine(file)
        with opened(path, form) as file:
            _decode_the_end(file)
    except (error.FFmpegError, ValueError) as fault:
        raise unusable.UnusableOutputError(f"The video cannot be decoded: {type(fault).__name__}.") from fault
    return film


@contextlib.contextmanager
def opened(path: Path, form: forms.Form) -> Iterator[container.InputContainer]:
    """The file, read as the form it was found to be: FFmpeg must not guess, since some of the forms it knows
    (playlists) name further files and addresses to read.
    """
    with av.open(str(path), format=form.decoder, options={"protocol_whitelist": "file"}) as file:
        yield file


def picture_stream(file: container.InputContainer) -> video_stream.VideoStream:
    """The stream that moves. Raises UnusableOutputError if there is none, or one of a monstrous size."""
    for candidate in file.streams.video:
        if not candidate.disposition & stream.Disposition.attached_pic:
            break
    else:
        raise unusable.UnusableOutputError("The file has no video stream.")
    width, height = candidate.codec_context.width, candidate.codec_context.height
    if not 0 < width * height <= MOST_PIXELS:
        raise unusable.UnusableOutputError(f"The video has {width}x{height} pixels.")
    return candidate


def _examine(file: container.InputContainer) -> Film:
    moving = picture_stream(file)
    reading = _read_through(file, moving)
    reach = reading.reaches.get(moving.index, _Reach())
    if reading.pictures == 0 or reach.count == 0:
        raise unusable.UnusableOutputError("The video has no frame that can be decoded.")
    for part in file.streams:
        _check_length(part, reading.reaches.get(part.index, _Reach()), file.duration)
    return Film(moving.codec_context.width, moving.codec_context.height, round(reach.seconds, 3))


def _read_through(file: container.InputContainer, moving: video_stream.VideoStream) -> _Reading:
    """Read every packet of every stream; decode only key frames, so that an hour of film stays affordable."""
    reading = _Reading()
    moving.thread_type = "AUTO"
    moving.codec_context.skip_frame = "NONKEY"
    for part in file.demux():
        if part.is_corrupt:
            raise unusable.UnusableOutputError("The video is cut short: a packet is incomplete.")
        reading.reaches.setdefault(part.stream.index, _Reach()).add(part)
        if part.stream.index == moving.index:
            reading.pictures += len(part.decode())
    return reading


def _check_length(part: stream.Stream, reach: _Reach, whole: int | None) -> None:
    """Compare what the head promises with what the packets gave."""
    if part.type not in {"video", "audio"}:
        return
    promised = _promised_seconds(part, whole)
    if reach.seconds < promised - SLACK_SECONDS - SLACK_SHARE * promised:
        raise unusable.UnusableOutputError(
            f"The video is cut short: its {part.type} ends after {reach.seconds:.2f} of {promised:.2f} seconds."
        )


def _promised_seconds(part: stream.Stream, whole: int | None) -> float:
    """The stream's own length; a WebM has only one for the whole file, which we hold its picture to."""
    if part.duration is not None and part.time_base is not None:
        return float(part.duration * part.time_base)
    return float(Fraction(whole, av.time_base)) if whole and part.type == "video" else 0.0


def _decode_the_end(file: container.InputContainer) -> None:
    """Decode from the last key frame to the end: for most generated films, that is the whole film."""
    moving = picture_stream(file)
    moving.thread_type = "AUTO"
    # A film without an index (a live recording) cannot be searched; it is decoded from its begin.
    with contextlib.suppress(error.FFmpegError):
        file.seek(FAR_BEYOND, stream=moving, backward=True)
    last = None
    for last in file.decode(moving):  # noqa: B007 - only the last frame is looked at
        pass
    # Frames just after the seek may lack what they refer to in a sound film; the last one never does.
    if last is None or last.is_corrupt:
        raise unusable.UnusableOutputError("The end of the video cannot be decoded.")
