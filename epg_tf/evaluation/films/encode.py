"""Film files: MP4 and GIF."""

from __future__ import annotations

import math
import os
import pathlib
from typing import Any

import imageio_ffmpeg
import numpy as np

from epg_tf.files import aside_of

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
        self._seconds = seconds_per_frame
        self._gif_every = max(1, math.ceil(_GIF_SECONDS_PER_FRAME / seconds_per_frame - 0.01))
        self._writers: list[Any] = []
        self._num_frames = 0

    def __enter__(self) -> Film:
        """Returns the film."""
        return self

    def __exit__(self, *exception) -> None:
        """Removes the files of an unfinished film."""
        self._close()
        for path in self.paths:
            aside_of(path).unlink(missing_ok=True)

    def append(self, frame: np.ndarray) -> None:
        """Adds a frame, [height, width, 3] uint8; height and width are even."""
        if not self._writers:
            self._open(frame.shape[1], frame.shape[0])
        mp4, gif = self._writers
        mp4.send(frame)
        if self._num_frames % self._gif_every == 0:
            gif.send(frame)
        self._num_frames += 1

    def finish(self) -> None:
        """Completes the files."""
        self._close()
        for path in self.paths:
            os.replace(aside_of(path), path)

    def _open(self, width: int, height: int) -> None:
        # With one palette for all frames, unchanged areas neither flicker nor are stored again. In
        # it, parts that move have more weight, so a small fingertip keeps its colour.
        filters = (
            f"scale={min(width, _WIDEST_GIF)}:-1:flags=lanczos,split[frames][sample];"
            f"[sample]palettegen=stats_mode=diff:max_colors={_GIF_COLOURS}:reserve_transparent=0"
            "[palette];[frames][palette]paletteuse=dither=none"
        )
        mp4: dict[str, Any] = {  # every player supports its format of pixels
            "codec": "libx264",
            "pix_fmt_out": "yuv420p",
            "output_params": ["-crf", _CONSTANT_QUALITY],
        }
        gif: dict[str, Any] = {
            "codec": "gif",
            "pix_fmt_out": "pal8",
            "output_params": ["-filter_complex", filters],
        }
        for path, every, options in zip(self.paths, (1, self._gif_every), (mp4, gif), strict=True):
            options |= {"fps": 1.0 / (self._seconds * every), "quality": None}
            writer = imageio_ffmpeg.write_frames(
                str(aside_of(path)),
                (width, height),
                macro_block_size=1,
                ffmpeg_log_level="error",
                **options,
            )
            writer.send(None)
            self._writers.append(writer)

    def _close(self) -> None:
        for writer in self._writers:
            writer.close()
