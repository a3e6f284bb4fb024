"""What all command lines share: errors as one sentence, and a quiet start.

Importing this module, before anything else, keeps TensorFlow's notices off the terminal and
holds the linear algebra to one thread per process: ranks share the cores among them. It also keeps
OpenGL out of the process, which draws in another (`epg_tf.rendering`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from logging import Formatter
from typing import TYPE_CHECKING, NoReturn

from absl import app, flags, logging

from epg_tf.native import trial
from epg_tf.rendering import opengl

if TYPE_CHECKING:
    from epg_tf.ranks import Ranks

for _name, _value in {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # With one thread there is nothing to share out, and XLA's way of sharing out batched products
    # copies their operands element by element: without it an update takes a fifth less.
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    # Horovod looks for work every so many milliseconds; ranks speak once an epoch, and at its
    # default of 1 the looking alone takes a tenth of the cores.
    "HOROVOD_CYCLE_TIME": "25",
    # A rank that waits for ever hangs the others: say so after a minute, give up after an hour. For
    # one that does not answer at all, suspended or cut off, wait ten minutes instead of 30 s.
    "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": "3600",
    "HOROVOD_GLOO_TIMEOUT_SECONDS": "600",
}.items():
    os.environ.setdefault(_name, _value)

opengl.withhold()
logging.set_verbosity(logging.WARNING)
logging.get_absl_handler().setFormatter(Formatter("epg_tf: %(message)s"))  # as all else is said
# Each learner traces functions of its own, which TensorFlow takes for one that is traced again.
logging.get_absl_handler().addFilter(lambda record: "retracing" not in record.getMessage())

BAD_INPUT = 2
RANK_LOST = 1
DISK_TROUBLE = 1  # not the input's fault: `launch/supervise.sh` tries again
_DISK_TROUBLES = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)))


def run(main: Callable[[list[str]], None], lives: bool = False) -> NoReturn:
    """Parses the flags and runs `main`; Ctrl-C ends it, as SIGTERM does, without a traceback.

    Args:
        main: The command.
        lives: Whether agents will live in it: what that takes begins to be compiled, where it was
            not, while TensorFlow is imported.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def start(arguments: list[str]) -> None:
        if lives:
            trial.begin()
        with disk_trouble_as_one_sentence():
            main(arguments)

    app.run(start, flags_parser=_parse)
    raise SystemExit


def _parse(arguments: list[str]) -> list[str]:
    """Parses the flags as absl does, but for its exit codes; the arguments that are none."""
    try:
        return flags.FLAGS(arguments)
    except flags.Error as error:
        missing = re.fullmatch(
            r"flag --(\w+)=None: .* must have a value other than None\.", str(error)
        )
        named = f"`--{missing[1]}` (=none) must be given" if missing else str(error).rstrip(".")
        fail(f"{named}; see --help.")
    except SystemExit:  # of --help and its like, which have been answered
        raise SystemExit(0) from None


@contextlib.contextmanager
def disk_trouble_as_one_sentence() -> Iterator[None]:
    """Ends the process with a sentence where a disk that is full, say, fails a write."""
    try:
        yield
    except Exception as error:  # TensorFlow has errors of its own for files
        text = str(error)
        trouble = next((trouble for trouble in _DISK_TROUBLES if trouble in text), None)
        if trouble is None:
            raise
        fail(
            f"nothing more can be written: {trouble}. What stood there before is sound, and the "
            "same command goes on once that has been put right.",
            DISK_TROUBLE,
        )


def fail(sentence: str, code: int = BAD_INPUT) -> NoReturn:
    """Says one sentence and ends the process."""
    print(f"epg_tf: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(code)


@contextlib.contextmanager
def one_sentence(ranks: Ranks) -> Iterator[None]:
    """Turns a ValueError into one sentence, said once however many ranks there are.

    For what comes before any work: there a ValueError is about what the user gave. Where it is
    raised on some ranks only (a file that one host lacks), the others end with them.
    """
    mine = None
    try:
        yield
    except ValueError as error:
        mine = str(error)
    said = [sentence for sentence in ranks.gather(mine) if sentence is not None]
    if said:
        if ranks.is_first:
            print(f"epg_tf: {said[0]}", file=sys.stderr, flush=True)
        ranks.broadcast(None)  # nobody leaves, and takes the others along, before it has been said
        raise SystemExit(BAD_INPUT)
