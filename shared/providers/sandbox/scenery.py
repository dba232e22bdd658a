"""Painting: a dusk over rolling hills, in colours drawn from the prompt. Same order, same picture."""

from __future__ import annotations

import colorsys
import hashlib
import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps

RIDGES = 5
STARS = 60
SMOOTHING = 2
CAPTION_LETTERS = 60
# Pillow's radial gradient has this level, not 0, at the middle of its sides.
RIM = 75

Colour = tuple[int, int, int]


def dice(prompt: str, seed: int) -> random.Random:
    """A source of chance that depends on prompt and seed only."""
    return random.Random(hashlib.sha256(f"{seed}\0{prompt}".encode()).digest())  # noqa: S311


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


class Scene:
    """One landscape. `frame(moment)` paints it for a moment from 0 to 1; everything that does not
    move is painted once, here.
    """

    def __init__(self, prompt: str, seed: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._dice = dice(prompt, seed)
        self._hue = self._dice.random()
        self._sky = self._paint_sky()
        self._glow = self._paint_glow()
        self._ridges = [self._paint_ridge(number) for number in range(RIDGES)]
        self._sun_side = self._dice.uniform(0.25, 0.55)
        self._caption = self._paint_caption(prompt)

    def frame(self, moment: float) -> Image.Image:
        """The picture at `moment`, RGB."""
        image = self._sky.copy()
        self._place_sun(image, moment)
        for number, (colour, mask) in enumerate(self._ridges):
            travel = (number + 1) / RIDGES * 0.5 * self.width
            view = ImageChops.offset(mask, -round(moment * travel) % self.width, 0)
            image.paste(colour, (0, self.height - mask.height), view)
        colour = _colour(self._hue + 0.08, 0.12, 0.95)
        image.paste(colour, (0, self.height - self._caption.height), self._caption)
        return image

    def _paint_sky(self) -> Image.Image:
        shade = Image.linear_gradient("L").resize((self.width, self.height))
        top, middle = _colour(self._hue, 0.75, 0.22), _colour(self._hue + 0.06, 0.6, 0.62)
        horizon = _colour(self._hue + 0.14, 0.55, 0.98)
        sky = ImageOps.colorize(shade, top, horizon, mid=middle, midpoint=110)
        pen = ImageDraw.Draw(sky)
        for _ in range(STARS):
            x, y = self._dice.random() * self.width, self._dice.random() ** 2 * self.height / 2
            size, light = self._dice.uniform(0.3, 0.9), self._dice.uniform(0.5, 0.9)
            pen.ellipse((x, y, x + size, y + size), fill=_colour(self._hue, 0.15, light))
        return sky

    def _paint_glow(self) -> Image.Image:
        side = max(8, round(min(self.width, self.height) * 0.9))
        halo = ImageOps.invert(Image.radial_gradient("L").resize((side, side)))
        halo = halo.point([round(max(0, level - RIM) ** 2 / 190) for level in range(256)])
        big = side * SMOOTHING
        disc, edge = Image.new("L", (big, big)), big * 0.41
        ImageDraw.Draw(disc).ellipse((edge, edge, big - edge, big - edge), fill=255)
        return ImageChops.lighter(halo, disc.resize((side, side), Image.Resampling.BOX))

    def _place_sun(self, image: Image.Image, moment: float) -> None:
        side = self._glow.width
        x = (self._sun_side + 0.2 * moment) * self.width
        y = (0.42 - 0.14 * math.sin(moment * math.pi)) * self.height
        corner = round(x - side / 2), round(y - side / 2)
        image.paste(_colour(self._hue + 0.13, 0.2, 1.0), corner, self._glow)

    def _paint_ridge(self, number: int) -> tuple[Colour, Image.Image]:
        """A hill line as a mask that joins at its ends, so that it can scroll for ever."""
        near = number / (RIDGES - 1)
        width, height = self.width * SMOOTHING, self.height * SMOOTHING
        waves = [
            (cycles, self._dice.random() * math.tau, self._dice.uniform(0.4, 1) / cycles**0.8)
            for cycles in (1, 2, 3, 5, 8, 13)
        ]
        line = [
            (x, height * (0.52 + 0.36 * near - 0.055 * self._rise(waves, x / width))) for x in range(0, width + 4, 4)
        ]
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).polygon([(0, height), *line, (width, height)], fill=255)
        colour = _colour(self._hue + 0.1 * (1 - near), 0.35 + 0.4 * near, 0.72 - 0.6 * near)
        small = mask.resize((self.width, self.height), Image.Resampling.BOX)
        top = int(min(y for _, y in line)) // SMOOTHING
        return colour, small.crop((0, min(top, self.height - 1), self.width, self.height))

    @staticmethod
    def _rise(waves: list[tuple[int, float, float]], place: float) -> float:
        return sum(tall * math.sin(place * math.tau * cycles + turn) for cycles, turn, tall in waves)

    def _paint_caption(self, prompt: str) -> Image.Image:
        letters = max(8, self.height // 24)
        mask = Image.new("L", (self.width, min(3 * letters, self.height)))
        line = " ".join(prompt.split())
        short = line if len(line) <= CAPTION_LETTERS else line[: CAPTION_LETTERS - 1] + "…"
        ImageDraw.Draw(mask).text((letters, letters), short, fill=210, font=ImageFont.load_default(letters))
        return mask
