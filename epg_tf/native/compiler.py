"""How functions become machine code: once for all processes of a machine, and only where it runs.

What is compiled is kept in numba's cache: beside the source, or in the user's cache folder where
that cannot be written, or nowhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

# Products may be fused with sums, but nothing may be added in another order: that is how a worker
# gets the same numbers whoever lives beside it.
_FAST = {"contract", "nsz", "arcp"}
_OPTIONS = {"nogil": True, "boundscheck": False, "error_model": "numpy", "fastmath": _FAST}
_HERE = pathlib.Path(__file__).parent
_NUMBERS = types.CPointer(types.float64)
_IN_PROCESS = threading.RLock()
_RULES: dict[Callable, Any] = {}


def compiled(function: Callable) -> Callable:
    """A function that is compiled for the types it is called with; it lets go of the GIL."""
    return _cached(numba.njit, function, **_OPTIONS)


def reordered(function: Callable) -> Callable:
    """The same for a sum whose terms are to be added several at a time."""
    return _cached(numba.njit, function, **_OPTIONS | {"fastmath": {*_FAST, "reassoc"}})


def address_of_rule(rule: Callable, decides: bool = False) -> int:
    """Where the machine code of a rule is.

    Args:
        rule: A function at the top of a module that only indexes its arguments, arrays of float64:
            four that end in one to write to, or, if it decides, three.
        decides: Whether it returns true or false, instead of nothing.
    """
    with alone(None):
        if rule not in _RULES:  # code stays where it is for as long as somebody holds it
            signature = types.int32(*[_NUMBERS] * 3) if decides else types.void(*[_NUMBERS] * 4)
            _RULES[rule] = _cached(
                lambda **options: numba.cfunc(signature, **options), rule, error_model="numpy"
            )
        return _RULES[rule].address


def ask(rule: Callable, *arrays: np.ndarray) -> int:
    """Calls a rule that `address_of_rule` has compiled, from Python."""
    numbers = ctypes.POINTER(ctypes.c_double)
    return _RULES[rule].ctypes(*(array.ctypes.data_as(numbers) for array in arrays))


def prepare(function: Any, arguments: tuple) -> None:
    """Compiles a function for these arguments, unless somebody has.

    One process does it and the others, which wait, find it in the cache.
    """
    kinds = tuple(map(numba.typeof, arguments))
    if kinds not in function.overloads:
        # Where it cannot be kept, for want of space perhaps, the next one compiles it anew.
        with alone(cache_folder(function)), contextlib.suppress(OSError):
            function.compile(kinds)


def cache_folder(function: Any) -> pathlib.Path | None:
    """Where a function's machine code is kept; None where it is not."""
    path = function.stats.cache_path
    return None if path is None else pathlib.Path(path)


@contextlib.contextmanager
def alone(folder: pathlib.Path | None, lock: str = "compiling.lock") -> Iterator[None]:
    """While it lasts, no other thread, and no other process with that cache, is in here."""
    with _IN_PROCESS, contextlib.ExitStack() as stack:
        if folder is not None:
            with contextlib.suppress(OSError):  # nobody else can write there either
                folder.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context((folder / lock).open("a"))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cached(decorator: Callable, function: Callable, **options):
    try:
        machine_code = decorator(cache=True, **options)(function)
    except RuntimeError:  # numba has no folder that it could write to
        return decorator(**options)(function)
    if pathlib.Path(function.__code__.co_filename).parent == _HERE:
        _forget_what_is_old(cache_folder(machine_code))
    return machine_code


@functools.cache
def sources() -> str:
    """Tells one version of what is compiled from another."""
    content = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    return hashlib.sha256(content).hexdigest()


@functools.cache
def _forget_what_is_old(folder: pathlib.Path) -> None:
    """Empties a cache of other sources: numba looks at a function's file, not at what it calls."""
    record = folder / "compiled_from.txt"
    with contextlib.suppress(OSError), alone(folder):
        if not record.exists() or record.read_text() != sources():
            for path in (*folder.glob("*.nbi"), *folder.glob("*.nbc")):
                path.unlink()
            record.write_text(sources())


def _c_call(*types_of_arguments):
    """What an intrinsic is that calls the C function at an address with integers or addresses."""

    def generate(context, builder, signature, arguments):
        del context, signature
        address, *given = arguments
        kind = ir.FunctionType(ir.IntType(32), [ir.IntType(64)] * len(given))
        return builder.call(builder.inttoptr(address, kind.as_pointer()), given)

    return types.int32(*[types.int64] * len(types_of_arguments)), generate


# C functions by their address: it changes from process to process, and what is compiled must not.
call_2: Any = intrinsic(lambda typing, address, a, b: _c_call(address, a, b))
call_3: Any = intrinsic(lambda typing, address, a, b, c: _c_call(address, a, b, c))
call_4: Any = intrinsic(lambda typing, address, a, b, c, d: _c_call(address, a, b, c, d))
