"""The pictures and films of a report, as parts of the page itself."""

from __future__ import annotations

import base64
import pathlib
from typing import NamedTuple

# Of pictures and films before they are encoded, which makes them a third larger: a page that
# browsers and mail programs still take.
_MOST_BYTES = 16_000_000
_MEDIA_TYPES = {".png": "image/png", ".gif": "image/gif", ".mp4": "video/mp4"}


class Medium(NamedTuple):
    """A picture or a film.

    Attributes:
        path: Where it is, relative to the run's folder.
        uri: The whole of it as a `data:` URI; empty if it is not there or does not fit.
        megabytes: Its size; 0 if it is not there.
    """

    path: str
    uri: str
    megabytes: float


class Media:
    """A run's pictures and films, as far as they fit into a page."""

    def __init__(self, root: pathlib.Path):
        """Has read nothing yet.

        Args:
            root: The run's folder.
        """
        self._root = root
        self._left = _MOST_BYTES

    def inline(self, *paths: str) -> Medium:
        """Reads the first of the files that is there; what is asked for first has room first."""
        for path in paths:
            try:
                content = (self._root / path).read_bytes()
            except OSError:
                continue
            if len(content) > self._left:
                return Medium(path, "", len(content) / 1e6)
            self._left -= len(content)
            return Medium(path, data_uri(content, path), len(content) / 1e6)
        return Medium(paths[0], "", 0.0)


def data_uri(content: bytes, path: str) -> str:
    """A file as a URI that has all of it, of the type that the path's suffix says."""
    media_type = _MEDIA_TYPES[pathlib.Path(path).suffix]
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
