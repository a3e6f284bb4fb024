"""A family's rules for one worker, from which those for W workers and compiled calls follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Rules(NamedTuple):
    """Observation and termination for one worker, in plain numbers.

    They are compiled, so that one call takes many steps. Each is a module-level function that
    indexes its arguments, arrays of float64, and does arithmetic, also with `math`. It must not use
    slices, lengths or NumPy. Everything else that a rule uses must be in the same module, functions
    decorated with `native.rules.part_of_rules`: numba invalidates its cache by that file's
    timestamp. Episode starts are drawn ahead, so `initial_state` must not change the task.

    Attributes:
        observe: `observe(qpos, qvel, parameters, out)` writes an observation.
        terminated: `terminated(qpos, qvel, parameters)` returns whether an episode ends here.
        parameters: The names of the task's parameters that the rules read, laid end to end.
        stretch: Offset and scale, [A] each, from a box's actions to controls; None if the controls
            are the actions.
    """

    observe: Callable
    terminated: Callable
    parameters: tuple[str, ...] = ()
    stretch: tuple[np.ndarray, np.ndarray] | None = None

    def known(self, parameters: Mapping[str, np.ndarray], num_workers: int) -> np.ndarray:
        """Lays the parameters that the rules read end to end, [W, ...]."""
        read = [parameters[name] for name in self.parameters]
        flat = [values.reshape(num_workers, math.prod(values.shape[1:])) for values in read]
        return np.concatenate([np.empty((num_workers, 0)), *flat], axis=1)


def rules_in_force(family) -> Rules | None:
    """Returns a family's rules, or None if they do not describe it completely.

    Returns None if a subclass overrides `observe` or `terminated` but not `rules`. It misses
    overrides of other methods that those two call. Returns None also if `control` of a box's
    actions disagrees with `stretch` or writes to its argument.
    """
    ancestry = type(family).__mro__
    defined = {
        name: next(place for place, ancestor in enumerate(ancestry) if name in vars(ancestor))
        for name in ("rules", "observe", "terminated")
    }
    if defined["rules"] > min(defined.values()):
        return None
    rules = family.rules
    if rules is not None and family.num_actions is None:
        action = np.linspace(-3.0, 3.0, family.action_size, dtype=np.float32)[np.newaxis]
        given = action.copy()
        middle, half = rules.stretch or (0.0, 1.0)
        control = family.control(action)
        if (action != given).any() or not np.array_equal(control, middle + half * given):
            return None
    return rules
