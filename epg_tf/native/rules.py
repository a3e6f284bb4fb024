"""A family's rules for one worker, applied to all workers.

Machine code applies them where it runs. Elsewhere Python does, with the same results to the bit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import register_jitable

from epg_tf.native.compiler import alone, cached, call_3, call_4, compiled, prepare
from epg_tf.native.trial import runs_here

_NUMBERS = types.CPointer(types.float64)
_RULES: dict[Callable, Any] = {}

# Decorates a function that rules of the same module call.
part_of_rules = register_jitable


def address_of_rule(rule: Callable, decides: bool = False) -> int:
    """Compiles a rule and returns the address of its machine code.

    Args:
        rule: A module-level function that only indexes its arguments, arrays of float64. It writes
            to the last of four, or, if it decides, takes three.
        decides: True if the rule returns true or false, False if it returns nothing.
    """
    with alone(None):
        if rule not in _RULES:  # `_RULES` keeps the code alive at its address
            signature = types.int32(*[_NUMBERS] * 3) if decides else types.void(*[_NUMBERS] * 4)
            _RULES[rule] = cached(
                lambda **options: numba.cfunc(signature, **options), rule, error_model="numpy"
            )
    return _RULES[rule].address


def observe_all(rule: Callable, states: tuple[np.ndarray, ...], out: np.ndarray) -> None:
    """Writes the observations of all workers.

    Args:
        rule: The rule of one worker.
        states: Positions [W, nq], velocities [W, nv] and the parameters that the rule reads
            [W, ...].
        out: The output, [W, S] float64.
    """
    if len(out) > 1 and _is_compiled():
        _observe(address_of_rule(rule), *map(_plain, states), out)
    else:  # one worker is not worth the compilation
        for row in zip(*states, out, strict=True):
            rule(*row)


def terminated_all(rule: Callable, states: tuple[np.ndarray, ...]) -> np.ndarray:
    """Returns which workers' episodes end, [W] bool; the arguments are those of `observe_all`."""
    if len(states[0]) > 1 and _is_compiled():
        return _terminated(address_of_rule(rule, decides=True), *map(_plain, states))
    return np.array([bool(rule(*row)) for row in zip(*states, strict=True)], bool)


def _plain(array: np.ndarray) -> np.ndarray:
    # numba compiles anew for arrays that are read-only or not contiguous.
    return np.require(array, np.float64, ["C", "W"])


@functools.cache
def _is_compiled() -> bool:
    """Returns whether machine code runs here; compiles the loops."""
    if runs_here():
        rows = np.empty((1, 1))
        prepare(_observe, (1, rows, rows, rows, rows))
        prepare(_terminated, (1, rows, rows, rows))
    return runs_here()


@compiled
def _observe(rule, qpos, qvel, parameters, out):
    for w in range(out.shape[0]):
        state = qpos[w].ctypes.data, qvel[w].ctypes.data
        call_4(rule, state[0], state[1], parameters[w].ctypes.data, out[w].ctypes.data)


@compiled
def _terminated(rule, qpos, qvel, parameters):
    ends = np.empty(qpos.shape[0], np.bool_)
    for w in range(qpos.shape[0]):
        state = qpos[w].ctypes.data, qvel[w].ctypes.data
        ends[w] = call_3(rule, state[0], state[1], parameters[w].ctypes.data) != 0
    return ends
