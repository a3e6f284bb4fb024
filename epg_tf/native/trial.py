"""A trial, once per machine and in a separate process, of the code that this package compiles.

On an unknown processor the compiler may crash its process, and so may the code that it generates.
The result is stored beside the compiled code, for these sources, numba version and processor.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import threading

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np
from absl import logging

from epg_tf.files import write_text
from epg_tf.native import arithmetic
from epg_tf.native.collect import Actors, Starts, Steps, World, collect
from epg_tf.native.compiler import alone, cache_folder, prepare, sources
from epg_tf.native.descend import Adam, Contexts, Losses, Parameters, descend

# Among failures only these crashes are recorded: after any other the next process tries again.
_CRASHES = (signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV)
# For each question one thread waits for the trial; its lock makes other threads wait for it.
_COLLECTS, _DESCENDS = threading.Lock(), threading.Lock()
_TRIAL = "from epg_tf.native import trial; trial.main()"


@functools.cache
def begin() -> subprocess.Popen | None:
    """Starts the trial unless its result is recorded; an early start shortens the wait later."""
    record = _record()
    if record is not None and record.exists():
        return None
    # A new session, so that Ctrl-C does not reach the trial.
    return subprocess.Popen(
        [sys.executable, "-c", _TRIAL],
        cwd=pathlib.Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def runs_here() -> bool:
    """Returns whether native collecting works on this machine; logs a warning once if not."""
    with _COLLECTS:
        return _runs_here()


def descends_here() -> bool:
    """Returns whether native gradient steps work too, a longer trial; warns once if not."""
    with _DESCENDS:
        return _descends_here()


@functools.cache
def _runs_here() -> bool:
    process, record = begin(), _record()
    if process is None:
        assert record is not None
        return _runs(record.read_text())
    assert process.stdout is not None
    if os.environ.get("HOROVOD_RANK", "0") == "0":
        print("epg_tf: compiling for this machine, once; half a minute.", file=sys.stderr)
    return bool(process.stdout.readline()) or _runs(_outcome(process))


@functools.cache
def _descends_here() -> bool:
    process = begin()
    return runs_here() and (process is None or _runs(_outcome(process)))


def main() -> None:
    """Runs in the trial's process; also compiles the large functions into the cache."""
    record, folder = _record(), cache_folder(arithmetic.dot)
    with alone(folder, "trial.lock"):
        if record is None or not record.exists():
            compute_vectors()
            compile_collecting()
    print("It collects.", flush=True)
    with alone(folder, "descent.lock"):
        if record is None or not record.exists():
            compute_products()
            compile_descent()
            if record is not None:
                _write_down(record, "")


def compile_collecting() -> None:
    """Compiles `collect` for its usual argument types, which box and finite actions share."""
    double, whole, flag = np.zeros((2, 2)), np.zeros(2, np.int64), np.zeros((2, 2), bool)
    cube, flat = np.zeros((2, 2, 2), np.float32), np.zeros((2, 2), np.float32)
    physics, warned = np.zeros((2, 2, 2)), np.zeros((2, 2), np.int32)[:, 0]
    world = World(
        *(whole, whole, 0, double[0], double[0], warned, physics, double, double, double[0]),
        *(physics, double, double, double, whole, whole, 0, 0, 0),
    )
    actors = Actors(flat, whole, flat, False, double, double)
    numbers = np.zeros((2, 2), np.int64)
    steps = Steps(cube, cube, numbers, physics, physics, physics, flag, flag)
    prepare(collect, (world, actors, cube, Starts(physics, whole, flag[0], whole), steps))


def compile_descent() -> None:
    """Compiles `descend` for its usual argument types."""
    single, flat = np.float32(0.0), np.zeros((2, 2), np.float32)
    cube, whole = np.zeros((2, 2, 2), np.float32), np.zeros(2, np.int64)
    adam = Adam(single, single, single)
    parameters = Parameters(flat, cube, whole, False, single, single, 0, 0, adam)
    losses = Losses(cube, cube, cube, cube, flat, flat[0], False, single, single, single)
    shapes = np.zeros((2, 2), np.int64)
    contexts = Contexts(shapes, flat, flat, np.stack([cube, cube]), flat, False, cube)
    rows = np.zeros((2, 2, 2), np.int32)
    given = (cube, rows, flat, flat[0], np.zeros(2, bool))
    prepare(descend, (parameters, losses, contexts, *given))


def compute_vectors() -> None:
    """Runs the functions that collecting uses; raises AssertionError if a result is wrong."""
    rng = np.random.default_rng(0)
    for count, width in ((3, 2), (11, 64), (67, 65)):
        row, kernel = rng.standard_normal(count, np.float32), _matrix(rng, count, width)
        product = np.zeros(width, np.float32)
        arithmetic.add_product(row, kernel, product)
        np.testing.assert_allclose(product, row @ kernel, rtol=1e-3, atol=1e-4)
        activated = product.copy()
        arithmetic.tanh_in_place(activated)
        np.testing.assert_allclose(activated, np.tanh(product), rtol=1e-5)


def compute_products() -> None:
    """Does the same for the functions that gradient steps use."""
    rng = np.random.default_rng(0)
    for rows, count, width in ((1, 3, 2), (5, 11, 64), (32, 67, 65)):
        a, b, c = _matrix(rng, rows, count), _matrix(rng, count, width), _matrix(rng, rows, width)
        product, transposed = np.zeros_like(c), np.zeros_like(b)
        arithmetic.add_products(a, b, product)
        arithmetic.add_transposed_product(a, c, transposed)
        np.testing.assert_allclose(product, a @ b, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(transposed, a.T @ c, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(arithmetic.dot(c[0], c[-1]), c[0] @ c[-1], rtol=1e-3, atol=1e-4)
        np.testing.assert_array_equal(arithmetic.transpose(b, transposed.reshape(-1)), b.T)


def _matrix(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)


@functools.cache
def _outcome(process: subprocess.Popen) -> str:
    """Waits for the trial; returns its failure in brief, '' if none. Records success or a crash."""
    _, said = process.communicate()
    found, code, record = "", process.returncode, _record()
    if code:
        who = f"signal {-code} ended the process that tried" if code < 0 else "the process said"
        found = f"{who}: {(said.strip().splitlines() or ['nothing'])[-1]}"
    if record is not None and (not found or -code in _CRASHES):
        _write_down(record, found)
    return found


def _runs(found: str) -> bool:
    """Returns whether there was no failure; logs a warning if there was."""
    if found:
        logging.warning(
            "Machine code of our own does not run here (%s): NumPy and TensorFlow do its work, "
            "more slowly. It is tried again when %s is gone.",
            found,
            _record(),
        )
    return not found


def _write_down(record: pathlib.Path, found: str) -> None:
    if not record.exists():
        with contextlib.suppress(OSError):
            write_text(record, found)


def _record() -> pathlib.Path | None:
    """Returns the path of the trial's result; None if machine code is not cached."""
    folder = cache_folder(arithmetic.dot)
    return None if folder is None else folder / f"trial-{_key()}.txt"


@functools.cache
def _key() -> str:
    """Returns a hash of everything that the trial depends on."""
    features = llvm.get_host_cpu_features().flatten()
    parts = [numba.__version__, llvmlite.__version__, llvm.get_host_cpu_name(), features]
    return hashlib.sha256("\n".join([*parts, sources()]).encode()).hexdigest()[:16]
