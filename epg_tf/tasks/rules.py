"""What a family's `observe` and `terminated` say, in a form that is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Rules(NamedTuple):
    """What is seen and when an episode ends, once more, for one worker and in plain numbers.

    They are compiled, so that many steps are taken in one call. Each is a function at the top of a
    module that indexes its arguments, arrays of float64, and does arithmetic, with `math` if need
    be; slices, lengths and NumPy are not for it. What they refer to beside should be in the same
    module, by whose file the compiler tells whether it has changed, and so should be what a
    subclass is to override. Episodes' starts are drawn ahead: `initial_state` may not change the
    task.

    Attributes:
        observe: `observe(qpos, qvel, parameters, out)` writes an observation.
        terminated: `terminated(qpos, qvel, parameters)` says whether an episode ends here.
        parameters: The names of the task's parameters that the rules read, laid end to end.
        stretch: Controls are the first plus the second of these, [A] each, times a box's actions;
            None where they are the actions.
    """

    observe: Callable
    terminated: Callable
    parameters: tuple[str, ...] = ()
    stretch: tuple[np.ndarray, np.ndarray] | None = None


def rules_in_force(family) -> Rules | None:
    """A family's rules, where they are all that it takes to step it.

    They are not where a subclass changed what they say and left them as they were, nor where the
    controls of a box of actions are others than they say.
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
