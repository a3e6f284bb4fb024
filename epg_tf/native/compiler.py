"""Compilation by numba, once for all processes of a machine.

numba caches machine code beside the source. If it cannot write there, it uses the user's cache
folder, or no cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
from absl import logging
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

# NUMBA_DISABLE_JIT is for debugging Python, and these functions have no form in Python.
numba.config.DISABLE_JIT = 0  # pyright: ignore[reportAttributeAccessIssue]

# A worker's results must not depend on which workers share its batch. So products may be fused with
# sums, but additions may not be reordered.
_FAST = {"contract", "nsz", "arcp"}
_OPTIONS = {"nogil": True, "boundscheck": False, "error_model": "numpy", "fastmath": _FAST}
_HERE = pathlib.Path(__file__).parent
_IN_PROCESS = threading.RLock()


def compiled(function: Callable) -> Callable:
    """Compiles a function for the types of each call's arguments; it releases the GIL."""
    return cached(numba.njit, function, **_OPTIONS)


def reordered(function: Callable) -> Callable:
    """Compiles a function like `compiled`, but lets its sums add several terms at a time."""
    return cached(numba.njit, function, **_OPTIONS | {"fastmath": {*_FAST, "reassoc"}})


def prepare(function: Any, arguments: tuple) -> None:
    """Compiles a function for the types of these arguments, unless that is done.

    One process compiles; the others wait and load the code from the cache.
    """
    kinds = tuple(map(numba.typeof, arguments))
    if kinds not in function.overloads:
        # If the cache cannot be written (the disk is full, say), the next process compiles again.
        with alone(cache_folder(function)), contextlib.suppress(OSError):
            function.compile(kinds)


def cache_folder(function: Any) -> pathlib.Path | None:
    """Returns the folder of a function's cached machine code; None if it is not cached."""
    path = function.stats.cache_path
    return None if path is None else pathlib.Path(path)


@contextlib.contextmanager
def alone(folder: pathlib.Path | None, lock: str = "compiling.lock") -> Iterator[None]:
    """Excludes all other threads and, by a lock file, other processes with the same `folder`."""
    with _IN_PROCESS, contextlib.ExitStack() as stack:
        if folder is not None:
            with contextlib.suppress(OSError):  # read-only: no process writes there
                folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context((folder / lock).open("a"))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(decorator: Callable, function: Callable, **options):
    """Applies one of numba's decorators, with its cache if that can be written."""
    try:
        machine_code = decorator(cache=True, **options)(function)
    except RuntimeError:  # numba finds no folder that it can write to
        _say_that_nothing_is_kept()
        return decorator(**options)(function)
    if pathlib.Path(function.__code__.co_filename).parent == _HERE:
        _forget_what_is_old(cache_folder(machine_code))
    return machine_code


@functools.cache
def _say_that_nothing_is_kept() -> None:
    """Warns once, since compiling then takes half a minute in every process."""
    logging.warning(
        "compiled code cannot be kept, so each command compiles for half a minute: "
        "`NUMBA_CACHE_DIR` (=%s) must be a folder one can write to.",
        os.environ.get("NUMBA_CACHE_DIR", "none"),
    )


@functools.cache
def sources() -> str:
    """Returns a hash of this package's sources."""
    content = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    return hashlib.sha256(content).hexdigest()


@functools.cache
def _forget_what_is_old(folder: pathlib.Path) -> None:
    """Deletes code of older sources: numba checks a function's file but not its callees' files."""
    record = folder / "compiled_from.txt"
    with contextlib.suppress(OSError), alone(folder):
        if not record.exists() or record.read_text() != sources():
            for path in (*folder.glob("*.nbi"), *folder.glob("*.nbc")):
                path.unlink()
            record.write_text(sources())


def _c_call(*types_of_arguments):
    """Returns signature and generator of an intrinsic that calls the C function at an address."""

    def generate(context, builder, signature, arguments):
        del context, signature
        address, *given = arguments
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(64)] * len(given))
        return builder.call(builder.inttoptr(address, kind.as_pointer()), given)

    return types.int32(*[types.int64] * len(types_of_arguments)), generate


# A C function's address is an argument: it differs between processes that share cached code.
call_2: Any = intrinsic(lambda typing, address, a, b: _c_call(address, a, b))
call_3: Any = intrinsic(lambda typing, address, a, b, c: _c_call(address, a, b, c))
call_4: Any = intrinsic(lambda typing, address, a, b, c, d: _c_call(address, a, b, c, d))
