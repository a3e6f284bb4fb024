"""What all command lines share: errors as one sentence, and a quiet start.

Importing this module, before anything else, keeps TensorFlow's and gym's notices off the terminal and
holds the linear algebra to one thread per process: ranks share the cores among them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from absl import logging

if TYPE_CHECKING:
    from epg_tf.evolution.ranks import Ranks

for _name, _value in {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # A rank that waits for ever hangs the others: say so after a minute, give up after an hour.
    "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": "3600",
}.items():
    os.environ.setdefault(_name, _value)

logging.set_verbosity(logging.WARNING)

BAD_INPUT = 2
STOPPED = 130


def fail(sentence: str, code: int = BAD_INPUT) -> NoReturn:
    """Says one sentence and ends the process."""
    print(f"epg_tf: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(code)


@contextlib.contextmanager
def one_sentence(ranks: Ranks) -> Iterator[None]:
    """Turns a ValueError into one sentence, said once however many ranks there are.

    For what comes before any work: there a ValueError is about what the user gave, and is raised
    on all ranks alike.
    """
    try:
        yield
    except ValueError as error:
        if ranks.is_first:
            print(f"epg_tf: {error}", file=sys.stderr, flush=True)
        ranks.broadcast(None)  # nobody leaves, and takes the others along, before it has been said
        raise SystemExit(BAD_INPUT) from None
