"""Ctrl-C and SIGTERM as a request: stop at the end of the epoch at hand."""

from __future__ import annotations

import os
import signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED = 128  # shells add it to the number of the signal


class StopRequest:
    """Notes the first signal and lets a second one end the process at once.

    Attributes:
        requested: Whether a signal has come.
        exit_code: What the process is to end with, as one that the signal had ended; on ranks that
            heard none, as after Ctrl-C.
    """

    def __init__(self, announce: bool):
        """Makes a request that nobody has made yet.

        Args:
            announce: Whether this process says that it has heard.
        """
        self.requested = False
        self.exit_code = _SIGNALLED + signal.SIGINT
        self._announce = announce
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        """Starts to listen."""
        self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *exception) -> None:
        """Puts back what listened before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _note(self, number: int, frame) -> None:
        del frame
        self.requested = True
        self.exit_code = _SIGNALLED + number
        signal.signal(number, signal.SIG_DFL)
        if self._announce:
            sentence = (
                f"\n{signal.Signals(number).name}: stopping at the end of this epoch. Once more "
                "ends the run at once. Either way the same command goes on from there.\n"
            )
            # Not print: a signal may come in the middle of one, which does not bear a second.
            os.write(2, sentence.encode())
