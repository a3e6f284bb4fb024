"""The pictures and films of a report, inside the page itself."""

from __future__ import annotations

import base64
import pathlib
from typing import NamedTuple

# The limit of pictures and films together. Encoding makes them a third larger; browsers and mail
# programs still accept such a page.
_MOST_BYTES = 16_000_000
_MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif", ".mp4": "video/mp4"}


class Medium(NamedTuple):
    """A picture or a film.

    Attributes:
        path: The path relative to the run's folder.
        uri: The content as a `data:` URI; empty if the file is missing or does not fit.
        megabytes: The size; 0 if the file is missing.
    """

    path: str
    uri: str
    megabytes: float

    @classmethod
    def of(cls, path: str, content: bytes) -> Medium:
        """Returns a file's content as a medium; the suffix of its path determines the type."""
        media_type = _MEDIA_TYPES[pathlib.Path(path).suffix]
        uri = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
        return cls(path, uri, len(content) / 1e6)


class Media:
    """The pictures and films of a run, as far as they fit into a page."""

    def __init__(self, root: pathlib.Path):
        """Reads nothing; `inline` does.

        Args:
            root: The run's folder.
        """
        self._root = root
        self._left = _MOST_BYTES

    def inline(self, *paths: str) -> Medium:
        """Reads the first file that exists; earlier calls have priority for the page's room."""
        for path in paths:
            try:
                content = (self._root / path).read_bytes()
            except OSError:
                continue
            if len(content) > self._left:
                return Medium(path, "", len(content) / 1e6)
            self._left -= len(content)
            return Medium.of(path, content)
        return Medium(paths[0], "", 0.0)
