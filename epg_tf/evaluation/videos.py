"""Pictures side by side with words in them, and the films made of such pictures: MP4 and GIF."""

from __future__ import annotations

import io
import math
import os
import pathlib
from collections.abc import Sequence

import imageio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_INK, _PAPER, _HIGHLIGHT = (240, 240, 240), (24, 28, 34), (255, 200, 60)
_LINE_HEIGHT = 1.5  # in font sizes
_SMALLEST_FONT = 7

# H.264's constant quality: 18 looks like the original, 28 is small. Edges and words stay sharp.
_CONSTANT_QUALITY = "26"

_LARGEST_GIF = 3_000_000  # bytes
_SMALLEST_GIF_SCALE = 0.2
_GIF_SAMPLE = 8  # frames that the size is guessed from
_GIF_COLOURS = 128
_GIF_SECONDS_PER_FRAME = 0.075  # at least


class Film:
    """A film that is written frame by frame, as `path`.mp4 and `path`.gif.

    To be used in a `with` statement. The files appear, whole, when the film is finished; of one
    that is not, nothing stays.
    """

    def __init__(self, path: pathlib.Path, seconds_per_frame: float):
        """Starts a film.

        Args:
            path: Where to, without a suffix.
            seconds_per_frame: How long each frame is shown.
        """
        self.paths = [path.with_name(path.name + suffix) for suffix in (".mp4", ".gif")]
        self._gif_every = max(1, math.ceil(_GIF_SECONDS_PER_FRAME / seconds_per_frame - 0.01))
        self._gif_seconds = seconds_per_frame * self._gif_every
        self._gif_frames: list[Image.Image] = []
        self._num_frames = 0
        self._writer = imageio.get_writer(
            _aside(self.paths[0]),
            fps=1.0 / seconds_per_frame,
            codec="libx264",
            pixelformat="yuv420p",  # what every player knows
            quality=None,
            output_params=["-crf", _CONSTANT_QUALITY],
            macro_block_size=2,
        )

    def __enter__(self) -> Film:
        """Nothing more."""
        return self

    def __exit__(self, *exception) -> None:
        """Takes away what was not finished."""
        self._writer.close()
        _aside(self.paths[0]).unlink(missing_ok=True)

    def append(self, frame: np.ndarray) -> None:
        """Adds a frame, [height, width, 3] uint8; both sizes even."""
        self._writer.append_data(frame)
        if self._num_frames % self._gif_every == 0:
            self._gif_frames.append(Image.fromarray(frame))
        self._num_frames += 1

    def finish(self) -> None:
        """Puts the files in their places."""
        mp4, gif = self.paths
        self._writer.close()
        os.replace(_aside(mp4), mp4)
        _aside(gif).write_bytes(self._small_gif())
        os.replace(_aside(gif), gif)

    def _small_gif(self) -> bytes:
        """The GIF's content, in as large a scale as its size allows."""
        frames = self._gif_frames
        beginning = frames[:_GIF_SAMPLE]
        size = len(_encode_gif(beginning, 1.0, self._gif_seconds)) * len(frames) / len(beginning)
        scale, content = 1.0, b""
        while not content or (size > _LARGEST_GIF and scale > _SMALLEST_GIF_SCALE):
            scale *= min(1.0, 0.95 * math.sqrt(_LARGEST_GIF / size))
            content = _encode_gif(frames, scale, self._gif_seconds)
            size = len(content)
        return content


def side_by_side(pictures: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """Pictures of one height in a row, so many pixels apart."""
    between = np.full((pictures[0].shape[0], gap, 3), _PAPER, np.uint8)
    spaced = [part for picture in pictures for part in (between, picture)]
    return np.concatenate(spaced[1:], axis=1)


def grid(pictures: Sequence[np.ndarray], gap: int) -> np.ndarray:
    """Pictures of one size in a grid that is about square, in rows so many pixels apart."""
    columns = math.ceil(math.sqrt(len(pictures)))
    missing = np.full_like(pictures[0], 0) + np.array(_PAPER, np.uint8)
    filled = [*pictures, *[missing] * (-len(pictures) % columns)]
    rows = [side_by_side(filled[i : i + columns], gap) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)


def with_label(picture: np.ndarray, text: str, size: int) -> np.ndarray:
    """A picture with words in its upper left corner, legible on any ground."""
    image = Image.fromarray(picture)
    font = _fitting_font(text, picture.shape[1] - size, size)
    ImageDraw.Draw(image).text(
        (size // 2, size // 2), text, _INK, font, stroke_width=1, stroke_fill=_PAPER
    )
    return np.asarray(image)


def with_caption(
    picture: np.ndarray, left: str, right: str, size: int, highlighted: bool = False
) -> np.ndarray:
    """A picture with a line of words below it.

    Args:
        picture: [height, width, 3] uint8.
        left: What stands on the left.
        right: What stands on the right.
        size: Of the font, in pixels; smaller where the words do not fit.
        highlighted: Whether what stands on the right stands out.

    Returns:
        The picture, higher by an even number of pixels.
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
    """A picture with a title and a smaller line above it.

    Args:
        picture: [height, width, 3] uint8.
        title: The first line.
        subtitle: The second.
        size: Of the title's font, in pixels; smaller where the words do not fit.

    Returns:
        The picture, higher by an even number of pixels.
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
    """Pillow's own font, which has Latin letters only, in the size that fits."""
    font = ImageFont.load_default(size)
    while font.getlength(text) > width and size > _SMALLEST_FONT:
        size -= 1
        font = ImageFont.load_default(size)
    return font


def _encode_gif(frames: Sequence[Image.Image], scale: float, seconds_per_frame: float) -> bytes:
    width, height = (max(1, round(scale * side)) for side in frames[0].size)
    scaled = [frame.resize((width, height), Image.Resampling.LANCZOS) for frame in frames]
    # One palette for all frames, or unchanged places flicker and have to be stored again.
    sample = scaled[:: max(1, len(scaled) // 8)]
    montage = Image.fromarray(np.concatenate([np.asarray(frame) for frame in sample]))
    # The octree keeps the colours of small things, such as a target.
    palette = montage.quantize(_GIF_COLOURS, Image.Quantize.FASTOCTREE)
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in scaled]
    file = io.BytesIO()
    first.save(
        file,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=round(1000 * seconds_per_frame),
        loop=0,
    )
    return file.getvalue()


def _aside(path: pathlib.Path) -> pathlib.Path:
    """Where a file is written before it is whole; the suffix says what it is."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")
