"""Whether code that is compiled here runs here: tried once per machine, in a process of its own.

A compiler that meets a processor it does not know may end the process, and so may the code that it
makes. What was found is kept beside what was compiled, for as long as nothing of it changes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import pathlib
import subprocess
import sys

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from absl import logging

from epg_tf.native import arithmetic
from epg_tf.native.compiler import alone, cache_folder

_TRIAL = "from epg_tf.native.trial import compute; compute()"


@functools.cache
def runs_here() -> bool:
    """Whether it does; where it does not, a sentence says so, once."""
    folder = cache_folder(arithmetic.dot)
    record = None if folder is None else folder / f"trial-{_key()}.txt"
    with alone(folder, "trial.lock"):
        if record is not None and record.exists():
            found = record.read_text()
        else:
            found = _try()
            if record is not None:
                with contextlib.suppress(OSError):
                    record.write_text(found)
    if found:
        logging.warning(
            "Machine code of our own does not run here (%s): NumPy and TensorFlow do its work, "
            "more slowly.",
            found,
        )
    return not found


def compute() -> None:
    """Compiles and computes, with vectors of every width; raises AssertionError if it is wrong."""
    rng = np.random.default_rng(0)
    for rows, count, width in ((1, 3, 2), (5, 11, 64), (32, 67, 65)):
        a, b, c = (
            rng.standard_normal(shape, np.float32)
            for shape in ((rows, count), (count, width), (rows, width))
        )
        product, transposed = np.zeros_like(c), np.zeros_like(b)
        arithmetic.add_products(a, b, product)
        arithmetic.add_transposed_product(a, c, transposed)
        np.testing.assert_allclose(product, a @ b, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(transposed, a.T @ c, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(arithmetic.dot(c[0], c[-1]), c[0] @ c[-1], rtol=1e-3, atol=1e-4)
        activated = c[0].copy()
        arithmetic.tanh_in_place(activated)
        np.testing.assert_allclose(activated, np.tanh(c[0]), rtol=1e-5)


def _try() -> str:
    """What went wrong, in a few words; nothing if nothing did."""
    done = subprocess.run([sys.executable, "-c", _TRIAL], capture_output=True, text=True)
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if done.returncode < 0:
        return f"signal {-done.returncode} ended the process that tried: {last}"
    return f"the process that tried said: {last}" if done.returncode else ""


def _key() -> str:
    """Changes with whatever the trial depends on."""
    features = llvm.get_host_cpu_features().flatten()
    parts = [numba.__version__, llvmlite.__version__, llvm.get_host_cpu_name(), features]
    parts += [pathlib.Path(str(module.__file__)).read_text() for module in (arithmetic,)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
