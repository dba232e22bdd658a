"""Opening images with Pillow: all of them, to the last row. Blocking; call in a thread."""

from pathlib import Path

from PIL import Image, ImageSequence

from shared.storage import forms, unusable

MOST_PIXELS = 100_000_000
# An animation is decoded frame by frame; its frames together may have this many pixels.
MOST_ANIMATED_PIXELS = 10 * MOST_PIXELS

# Pillow's own guard, a second line behind ours: it warns from here on and refuses at twice this.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS


def examine(path: Path, form: forms.Form) -> tuple[int, int]:
    """Width and height, once every frame was decoded. Raises UnusableOutputError."""
    try:
        with Image.open(path, formats=[form.decoder]) as image:
            _guard(image)
            image.verify()
        # `verify` uses the image up; it finds wrong checksums, loading finds missing rows.
        with Image.open(path, formats=[form.decoder]) as image:
            return _load(image)
    except unusable.UnusableOutputError:
        raise
    # The warning is one only where warnings are made errors; `_guard` draws the same line.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise unusable.UnusableOutputError(f"The image has more than {MOST_PIXELS} pixels.") from error
    # Pillow's decoders raise about anything on broken input: OSError, SyntaxError, ValueError, struct.error …
    except Exception as error:
        raise unusable.UnusableOutputError(f"The image cannot be decoded: {type(error).__name__}.") from error


def _guard(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise unusable.UnusableOutputError(f"The image has {image.width}x{image.height} pixels; that is too many.")


def _load(image: Image.Image) -> tuple[int, int]:
    size, pixels = image.size, 0
    for frame in ImageSequence.Iterator(image):
        pixels += frame.width * frame.height
        if pixels > MOST_ANIMATED_PIXELS:
            raise unusable.UnusableOutputError("The animation is too long to be decoded.")
        frame.load()
    return size
