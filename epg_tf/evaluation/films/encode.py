"""Film files: MP4 and GIF."""

from __future__ import annotations

import io
import math
import os
import pathlib
from collections.abc import Sequence

import imageio
import numpy as np
from PIL import Image

from epg_tf.files import aside_of, write_bytes

# H.264's CRF: 18 looks like the original, 28 makes small files. Edges and text stay sharp.
_CONSTANT_QUALITY = "26"

_WIDEST_GIF = 960  # pixels; wider GIFs have many megabytes
_GIF_COLOURS = 128
_GIF_SECONDS_PER_FRAME = 0.075  # at least


class Film:
    """A film that is written frame by frame, as `path`.mp4 and `path`.gif.

    Use it in a `with` statement. `finish` puts complete files in their places; an unfinished film
    leaves no files.
    """

    def __init__(self, path: pathlib.Path, seconds_per_frame: float):
        """Starts a film.

        Args:
            path: The path without a suffix.
            seconds_per_frame: The time that each frame is shown.
        """
        self.paths = [path.with_name(path.name + suffix) for suffix in (".mp4", ".gif")]
        self._gif_every = max(1, math.ceil(_GIF_SECONDS_PER_FRAME / seconds_per_frame - 0.01))
        self._gif_seconds = seconds_per_frame * self._gif_every
        self._gif_frames: list[Image.Image] = []
        self._num_frames = 0
        self._writer = imageio.get_writer(
            aside_of(self.paths[0]),
            fps=1.0 / seconds_per_frame,
            codec="libx264",
            pixelformat="yuv420p",  # the format that every player supports
            quality=None,
            output_params=["-crf", _CONSTANT_QUALITY],
            macro_block_size=2,
        )

    def __enter__(self) -> Film:
        """Returns the film, which is open already."""
        return self

    def __exit__(self, *exception) -> None:
        """Removes the file of an unfinished film."""
        self._writer.close()
        aside_of(self.paths[0]).unlink(missing_ok=True)

    def append(self, frame: np.ndarray) -> None:
        """Adds a frame, [height, width, 3] uint8; height and width are even."""
        self._writer.append_data(frame)
        if self._num_frames % self._gif_every == 0:
            self._gif_frames.append(Image.fromarray(frame))
        self._num_frames += 1

    def finish(self) -> None:
        """Completes the MP4, and writes the GIF."""
        mp4, gif = self.paths
        self._writer.close()
        os.replace(aside_of(mp4), mp4)
        write_bytes(gif, _encode_gif(self._gif_frames, self._gif_seconds))


def _encode_gif(frames: Sequence[Image.Image], seconds_per_frame: float) -> bytes:
    scale = min(1.0, _WIDEST_GIF / frames[0].width)
    width, height = (max(1, round(scale * side)) for side in frames[0].size)
    scaled = [frame.resize((width, height), Image.Resampling.LANCZOS) for frame in frames]
    # With one palette for all frames, unchanged areas neither flicker nor are stored again.
    sample = scaled[:: max(1, len(scaled) // 8)]
    montage = Image.fromarray(np.concatenate([np.asarray(frame) for frame in sample]))
    # The octree keeps the colours of small objects, such as a target.
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
