"""Composition of film frames: pictures side by side, with text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_INK, _PAPER, _HIGHLIGHT = (240, 240, 240), (24, 28, 34), (255, 200, 60)
_LINE_HEIGHT = 1.5  # in font sizes
_SMALLEST_FONT = 7


def side_by_side(pictures: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """Joins pictures of one height in a row, `gap` pixels apart."""
    between = np.full((pictures[0].shape[0], gap, 3), _PAPER, np.uint8)
    spaced = [part for picture in pictures for part in (between, picture)]
    return np.concatenate(spaced[1:], axis=1)


def grid(pictures: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """Joins pictures of one size in a roughly square grid with columns `gap` pixels apart."""
    columns = math.ceil(math.sqrt(len(pictures)))
    missing = np.full_like(pictures[0], 0) + np.array(_PAPER, np.uint8)
    filled = [*pictures, *[missing] * (-len(pictures) % columns)]
    rows = [side_by_side(filled[i : i + columns], gap) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)


def with_label(picture: np.ndarray, text: str, size: int) -> np.ndarray:
    """Adds text in the upper left corner of a picture, legible on any background."""
    image = Image.fromarray(picture)
    font = _fitting_font(text, picture.shape[1] - size, size)
    ImageDraw.Draw(image).text(
        (size // 2, size // 2), text, _INK, font, stroke_width=1, stroke_fill=_PAPER
    )
    return np.asarray(image)


def with_caption(
    picture: np.ndarray, left: str, right: str, size: int, highlighted: bool = False
) -> np.ndarray:
    """Adds a line of text below a picture.

    Args:
        picture: [height, width, 3] uint8.
        left: The text on the left.
        right: The text on the right.
        size: The size of the font, in pixels; the font shrinks if the text does not fit.
        highlighted: True to highlight the text on the right.

    Returns:
        The picture, taller by an even number of pixels.
    """
    width = picture.shape[1]
    strip, draw, height = _strip(width, size, 1)
    font = _fitting_font(f"{left}   {right}", width - size, size)
    middle = height // 2
    draw.text((size // 2, middle), left, _INK, font, anchor="lm")
    colour = _HIGHLIGHT if highlighted else _INK
    draw.text((width - size // 2, middle), right, colour, font, anchor="rm")
    return np.concatenate([picture, np.asarray(strip)])


def with_title(picture: np.ndarray, title: str, subtitle: str, size: int) -> np.ndarray:
    """Adds a title and a smaller subtitle above a picture.

    Args:
        picture: [height, width, 3] uint8.
        title: The first line.
        subtitle: The second line.
        size: The size of the title's font, in pixels; the font shrinks if the text does not fit.

    Returns:
        The picture, taller by an even number of pixels.
    """
    width = picture.shape[1]
    strip, draw, height = _strip(width, size, 2)
    for text, line_size, y in ((title, size, 0.3), (subtitle, size * 3 // 4, 0.72)):
        font = _fitting_font(text, width - size, line_size)
        draw.text((width // 2, int(y * height)), text, _INK, font, anchor="mm")
    return np.concatenate([np.asarray(strip), picture])


def _strip(width: int, size: int, lines: int) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    height = 2 * round(_LINE_HEIGHT * size * lines / 2)
    strip = Image.new("RGB", (width, height), _PAPER)
    return strip, ImageDraw.Draw(strip), height


def _fitting_font(text: str, width: int, size: int):
    """Returns Pillow's default font, which has Latin letters only, in a size that fits."""
    font = ImageFont.load_default(size)
    while font.getlength(text) > width and size > _SMALLEST_FONT:
        size -= 1
        font = ImageFont.load_default(size)
    return font
