"""Checks of a gymnasium environment and of the ranges of its tasks, before any work."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import gymnasium
import numpy as np
from absl import logging
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FlattenObservation

from epg_tf.checks import fits
from epg_tf.tasks.environments.settings import (
    OPTION,
    EnvironmentFailed,
    EnvironmentSettings,
    arguments_of,
    constructor_of,
    spec_of,
)
from epg_tf.tasks.environments.simulator import EnvironmentSimulator
from epg_tf.tasks.family import Task
from epg_tf.text import did_you_mean

_NUM_STEPS = 300  # until a range must have changed something
_MOST_NUMBERS = 4096  # of an observation


def check(family: EnvironmentSettings) -> int:
    """Checks an environment once per process, and returns its time limit.

    Raises:
        ValueError: If it does not exist, does not fit, or a range does not; in one sentence.
    """
    return _check(_Key(family))


class _Key:
    """A family as the key of a cache: its settings may be dictionaries."""

    def __init__(self, family: EnvironmentSettings):
        self.family = family
        self._text = repr((family.id, family.ranges, family.arguments, family.time_limit))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@functools.lru_cache(maxsize=64)
def _check(key: _Key) -> int:
    family = key.family
    require = family._require
    require("id", *_exists(family.id))
    for name, bounds in family.ranges.items():
        is_pair = isinstance(name, str) and fits(bounds, tuple[float, float])
        rule = "be by name, with pairs (low, high) with low <= high"
        require("ranges", is_pair and bounds[0] <= bounds[1], rule)
    try:
        environment = family.nominal
        _check_spaces(family, environment)
        limit = family.time_limit or getattr(environment.spec, "max_episode_steps", None)
        if limit is None:
            raise ValueError(
                f"`GymnasiumTasks.time_limit` (=None) must be given: {family.id} has no limit."
            )
        known = _names(environment)
        for name in family.ranges:
            is_there = name.startswith(OPTION) or name in known or name in arguments_of(family.id)
            near = f"{did_you_mean(name, known)}: {', '.join(known)}"
            require("ranges", is_there, f"name attributes or arguments of {family.id}{near}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_by_gymnasium(family)
        for name in family.ranges:
            changes = _tell_apart(family, name)
            require(
                "ranges",
                changes,
                f"change something, and {name!r} changes nothing in {_NUM_STEPS} steps",
            )
    except EnvironmentFailed as error:
        raise ValueError(str(error)) from error
    return int(limit)


def _exists(name: str) -> tuple[bool, str]:
    """Returns whether an id or function exists, and the rule."""
    try:
        if constructor_of(name) is None:
            spec_of(name)
    except ImportError as error:
        return False, f"name a module that can be imported ({error})"
    except gymnasium.error.Error:
        known = [one for one in gymnasium.registry if not one.startswith(("GymV", "epg/"))]
        near = did_you_mean(name, known)
        example = "'gymnasium_robotics:PointMaze_UMaze-v3'"
        rule = f"be a registered id, after its package as in {example} if that registers it"
        return False, f"{rule}, or a function as in 'my_package:make_env'{near}"
    return True, ""


def _check_spaces(family: EnvironmentSettings, environment: gymnasium.Env) -> None:
    inner, require = environment.unwrapped, family._require
    actions = environment.action_space
    rule = f"have a box or a finite set of actions, not {actions}"
    require("id", isinstance(actions, Box | Discrete), rule)
    if isinstance(actions, Box):
        rule = "have a box of actions with finite ends"
        require("id", bool(np.isfinite([actions.low, actions.high]).all()), rule)
    seen = inner.observation_space
    rule = f"have observations of numbers, not {type(seen).__name__}"
    is_flat = isinstance(environment, FlattenObservation) and seen.is_np_flattenable
    require("id", is_flat, rule)
    is_picture = isinstance(seen, Box) and seen.dtype == np.uint8 and len(seen.shape) > 1
    size = int(np.prod(environment.observation_space.shape or ()))
    rule = f"have observations of at most {_MOST_NUMBERS} numbers and no pictures, not {seen.shape}"
    require("id", not is_picture and size <= _MOST_NUMBERS, rule)


def _check_by_gymnasium(family: EnvironmentSettings) -> None:
    """Warns of an environment that does not repeat itself, and refuses what gymnasium refuses."""
    first, second = (_lived(family, {}) for _ in range(2))
    if not np.array_equal(first, second, equal_nan=True):
        logging.warning(
            "`GymnasiumTasks.id` (=%r) does other things for the same seed: no run with it can be "
            "repeated.",
            family.id,
        )
        return
    try:
        check_env(family.make({}).unwrapped, skip_render_check=True)
    except Exception as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"`GymnasiumTasks.id` (={family.id!r}) must pass gymnasium's check_env: {said}."
        ) from error


def _tell_apart(family: EnvironmentSettings, name: str) -> bool:
    """Returns whether the ends of a range make a difference."""
    low, high = family.ranges[name]
    if low == high:
        return True
    return not np.array_equal(_lived(family, {name: low}), _lived(family, {name: high}))


def _lived(family: EnvironmentSettings, drawn: dict[str, Any]) -> np.ndarray:
    """Returns the observations and rewards of some steps with arbitrary actions."""
    simulator = EnvironmentSimulator(family, [Task(None, drawn)], [np.random.default_rng(0)])
    rng, found = np.random.default_rng(1), []
    for _ in range(_NUM_STEPS):
        action = rng.uniform(-1.0, 1.0, (1, family.action_size))
        if family.num_actions is not None:
            action = rng.integers(family.num_actions, size=1)
        step = simulator.step(action)
        found.append([*step.observation[0], step.reward[0], step.terminated[0]])
        if step.terminated[0] or step.truncated[0]:
            simulator.reset()
    return np.array(found)


def _names(environment: gymnasium.Env) -> list[str]:
    """Returns the names of an environment's attributes that are numbers."""
    inner, numbers = environment.unwrapped, (int, float, np.integer, np.floating)
    return [
        name
        for name in dir(inner)
        if not name.startswith("_")
        and isinstance(value := getattr(inner, name, None), numbers)
        and not isinstance(value, bool)
    ]
