"""The common parts of all command lines: errors in one sentence, and a quiet start.

Import this module before anything else. It keeps TensorFlow's notices off the terminal. It limits
linear algebra to one thread per process, since ranks share the cores. And it keeps OpenGL out of
this process, since another one draws (`epg_tf.rendering`).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from logging import Formatter
from types import ModuleType
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
    # Horovod polls for work at this interval in milliseconds. Ranks communicate once per epoch, and
    # polling at the default of 1 takes a tenth of the cores.
    "HOROVOD_CYCLE_TIME": "25",
    # A rank that stalls blocks the others: Horovod warns after a minute and gives up after an hour.
    # It waits ten minutes, not 30 s, for a rank that does not answer (suspended or disconnected).
    "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": "3600",
    "HOROVOD_GLOO_TIMEOUT_SECONDS": "600",
}.items():
    os.environ.setdefault(_name, _value)

# To spread batched products over threads, XLA copies their operands element by element. That is
# useless with one thread; without it an update takes a fifth less time.
_XLA_FLAG = "--xla_cpu_multi_thread_eigen=false"
if _XLA_FLAG not in os.environ.setdefault("XLA_FLAGS", _XLA_FLAG):
    os.environ["XLA_FLAGS"] += f" {_XLA_FLAG}"
os.environ.pop("TF_USE_LEGACY_KERAS", None)  # it asks for a package that is not needed

flags.disclaim_key_flags()  # so that `takes` adopts flags for the module that calls it
if sys.stderr is None:  # closed by the shell: what is said there goes nowhere
    sys.stderr = open(os.open(os.devnull, os.O_WRONLY), "w")  # noqa: SIM115
for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper):  # some locales lack letters that are printed here
        _stream.reconfigure(errors="backslashreplace")
if os.path.expanduser("~") == "~":  # no home, where matplotlib would keep its settings
    os.environ.setdefault("MPLCONFIGDIR", os.path.join(tempfile.gettempdir(), "epg_tf_matplotlib"))

opengl.withhold()
logging.set_verbosity(logging.WARNING)
logging.get_absl_handler().setFormatter(Formatter("epg_tf: %(message)s"))  # like all other messages
# Each learner traces its own functions once; TensorFlow mistakes them for one that is retraced.
logging.get_absl_handler().addFilter(lambda record: "retracing" not in record.getMessage())

BAD_INPUT = 2
RANK_LOST = 1
FAILED = 1  # what the user brought, in the middle of the work
DISK_TROUBLE = 1  # not the user's fault: `launch/supervise.sh` tries again
_DISK_TROUBLES = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)))


def takes(*modules: ModuleType) -> Callable[[Callable[[], None]], Callable[[list[str]], None]]:
    """Decorates a command that imports TensorFlow itself, after its flags have been checked.

    The result takes the arguments that are no flags, and refuses them.

    Args:
        *modules: The modules of this folder whose flags the command takes beside those of its own
            module. If one has a function `require`, the result calls it before the command.
    """
    for module in modules:
        flags.adopt_module_key_flags(module)

    def decorate(command: Callable[[], None]) -> Callable[[list[str]], None]:
        @functools.wraps(command)
        def main(argv: list[str]) -> None:
            if len(argv) > 1:
                fail(f"`{argv[1]}` is not a flag; see --help.")
            for module in modules:
                getattr(module, "require", lambda: None)()
            command()

        return main

    return decorate


def run(main: Callable[[list[str]], None], *required: str, lives: bool = False) -> NoReturn:
    """Parses the flags and runs `main`; Ctrl-C ends it, like SIGTERM, without a traceback.

    Args:
        main: The command.
        *required: The flags that must be given. Modules that import the command need none of them.
        lives: True if agents will live in it. Their native code, unless compiled before, is then
            compiled while TensorFlow is imported.
    """
    flags.mark_flags_as_required(required)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def start(arguments: list[str]) -> None:
        if lives:
            trial.begin()
        with trouble_as_one_sentence():
            main(arguments)

    app.run(start, flags_parser=_parse)
    raise SystemExit


def _parse(arguments: list[str]) -> list[str]:
    """Parses the flags like absl, with other exit codes; returns the remaining arguments."""
    try:
        return flags.FLAGS(["--help" if word == "-h" else word for word in arguments])
    except flags.Error as error:
        missing = re.fullmatch(
            r"flag --(\w+)=None: .* must have a value other than None\.", str(error)
        )
        named = f"`--{missing[1]}` (=none) must be given" if missing else str(error).rstrip(".")
        fail(f"{named}; see --help.")
    except SystemExit:  # absl has answered --help or the like
        raise SystemExit(0) from None


@contextlib.contextmanager
def trouble_as_one_sentence() -> Iterator[None]:
    """Ends the process with one sentence if a write fails, as on a full disk, or an environment."""
    try:
        yield
    except Exception as error:  # TensorFlow raises its own types for file errors
        text = str(error)
        if getattr(error, "is_one_sentence", False):  # an environment's, for instance
            fail(text, FAILED)
        trouble = next((trouble for trouble in _DISK_TROUBLES if trouble in text), None)
        if trouble is None:
            raise
        fail(
            f"nothing more can be written: {trouble}. What stood there before is sound, and the "
            "same command goes on once that has been put right.",
            DISK_TROUBLE,
        )


class PathParser(flags.ArgumentParser):
    """Reads a path; `~` means the user's home, and shells do not replace it in --root_dir=~/x."""

    def parse(self, argument: str) -> str:
        """Returns the path.

        Raises:
            ValueError: If TensorFlow, whose paths are UTF-8, would take it for another one.
        """
        if argument.encode(errors="replace") != os.fsencode(argument):
            raise ValueError("must be UTF-8, in a locale of UTF-8")
        return os.path.expanduser(argument)


def fail(sentence: str, code: int = BAD_INPUT) -> NoReturn:
    """Prints one sentence and ends the process."""
    print(f"epg_tf: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(code)


def as_typed(name: str) -> list[str]:
    """Returns the command line of this process, whose command has a name such as "train"."""
    return ["python", "-m", f"epg_tf.{name}", *sys.argv[1:]]


@contextlib.contextmanager
def early_sentence() -> Iterator[None]:
    """Turns a ValueError into one sentence before TensorFlow is imported, and ends the process.

    Ranks do nothing here: each would say it. They say it together later.
    """
    if "HOROVOD_RANK" not in os.environ:
        try:
            yield
        except ValueError as error:
            fail(str(error))
    else:
        with contextlib.suppress(ValueError):
            yield


@contextlib.contextmanager
def one_process(name: str) -> Iterator[None]:
    """Does what `one_sentence` does for a command that refuses to run on several ranks."""
    from epg_tf.ranks import Ranks

    ranks = Ranks()
    with one_sentence(ranks):
        if ranks.size > 1:
            raise ValueError(f"`horovodrun -np` (={ranks.size}) must be 1: {name} is one process.")
        yield


@contextlib.contextmanager
def one_sentence(ranks: Ranks) -> Iterator[None]:
    """Turns a ValueError into one sentence, printed once for all ranks, and ends them.

    Wrap only code that runs before any work, where a ValueError concerns the user's input. If only
    some ranks raise it (one host lacks a file, for instance), the others end with them.
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
        ranks.broadcast(None)  # a rank that exits before would end the printing one
        raise SystemExit(BAD_INPUT)
