"""The settings of `GymnasiumTasks`, and the environments that they make."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Discrete
from gymnasium.wrappers import FlattenObservation, TimeLimit

from epg_tf.checks import PositiveInt, Settings

OPTION = "reset."  # a name in `ranges` that begins with it is an option of `reset`


class EnvironmentFailed(RuntimeError):
    """An environment has raised an error; the message is one sentence."""

    is_one_sentence = True


@dataclasses.dataclass(frozen=True)
class EnvironmentSettings(Settings):
    """Tasks that differ in attributes, arguments or reset options of one environment.

    Observations are flattened by gymnasium's `FlattenObservation`, so finite sets are one-hot. An
    action of 1 is the highest of the environment's box and -1 the lowest. The environment ends
    episodes.

    Attributes:
        id: The environment's id, or a function that makes it, as in "my_package:make_env".
        ranges: What tasks differ in, {name: (low, high)}, drawn uniformly; integers where the
            nominal value and both ends are. A name is an attribute of the environment, an argument
            of its constructor, or, as "reset.name", an option of its `reset`.
        arguments: Further arguments of the constructor, by name.
        time_limit: Steps after which an episode is truncated; None for the environment's own limit.

    Raises:
        ValueError: If a setting does not fit the environment; in one sentence.
    """

    id: str
    ranges: dict = dataclasses.field(default_factory=dict)
    arguments: dict = dataclasses.field(default_factory=dict)
    time_limit: PositiveInt | None = None  # pyright: ignore[reportIncompatibleVariableOverride]

    @functools.cached_property
    def nominal(self) -> gymnasium.Env:
        """The environment without draws, for its spaces and attributes alone."""
        return self.make({})

    def make(self, drawn: Mapping[str, Any], **arguments: Any) -> gymnasium.Env:
        """Makes the environment of a task, with flat observations and its own time limit.

        Args:
            drawn: What the task has drawn, by the names of `ranges`.
            **arguments: Further arguments of the constructor, such as `render_mode`.
        """
        with named_in_errors(self, "constructor"):
            given = {n: _plain(v) for n, v in drawn.items() if not n.startswith(OPTION)}
            attributes = self._attributes if given else ()
            own = {name: value for name, value in given.items() if name in attributes}
            rest = {name: value for name, value in given.items() if name not in own}
            environment = self._construct(**self.arguments, **rest, **arguments)
            for name, value in own.items():
                setattr(environment.unwrapped, name, value)
            try:
                return FlattenObservation(environment)
            except NotImplementedError:  # `requirements` refuse it, with a sentence
                return environment

    def reset_options(self, drawn: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the options of `reset` that a task has drawn; None if there are none."""
        options = (name for name in drawn if name.startswith(OPTION))
        found = {name.removeprefix(OPTION): _plain(drawn[name]) for name in options}
        return found or None

    def scaled(self, action: np.ndarray) -> Any:
        """Turns the action of one worker into the environment's; NaN counts as 0."""
        space = self.spaces[1]
        if isinstance(space, Discrete):
            return space.start + int(action)
        share = (np.nan_to_num(np.clip(action, -1.0, 1.0)) + 1.0) / 2.0
        low, high = space.low.ravel().astype(float), space.high.ravel().astype(float)
        return (low + share * (high - low)).astype(space.dtype).reshape(space.shape)

    @functools.cached_property
    def spaces(self) -> tuple[Any, Any]:
        """The spaces of flat observations and of actions."""
        return self.nominal.observation_space, self.nominal.action_space

    @functools.cached_property
    def _attributes(self) -> tuple[str, ...]:
        """The names in `ranges` that are attributes of the environment."""
        plain = self.nominal.unwrapped
        return tuple(name for name in self.ranges if hasattr(plain, name))

    def _construct(self, **arguments: Any) -> gymnasium.Env:
        constructor = constructor_of(self.id)
        if constructor is None:
            limit = {} if self.time_limit is None else {"max_episode_steps": self.time_limit}
            return gymnasium.make(self.id, disable_env_checker=True, **limit, **arguments)
        environment = constructor(**arguments)
        return environment if self.time_limit is None else TimeLimit(environment, self.time_limit)


def constructor_of(name: str) -> Any:
    """Returns the function or class that "module:name" names; None for a registered id."""
    module, colon, function = name.partition(":")
    if not colon:
        return None
    found = getattr(importlib.import_module(module), function, None)
    return found if callable(found) else None


def spec_of(name: str) -> EnvSpec:
    """Returns what gymnasium knows of an id; "package:id" imports the package that registers it."""
    package, colon, registered = name.rpartition(":")
    if colon:
        importlib.import_module(package)
    return gymnasium.spec(registered)


def arguments_of(name: str) -> set[str]:
    """Returns the names of the arguments that an environment's constructor takes."""
    constructor = constructor_of(name)
    if constructor is None:
        entry = spec_of(name).entry_point
        constructor = gymnasium.envs.registration.load_env_creator(entry) if entry else None
    return set() if constructor is None else set(inspect.signature(constructor).parameters)


@contextmanager
def named_in_errors(family: EnvironmentSettings, what: str) -> Iterator[None]:
    """Turns an environment's own error into one sentence that names it."""
    try:
        yield
    except EnvironmentFailed:
        raise
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise EnvironmentFailed(
            f"the {what} of `GymnasiumTasks.id` (={family.id!r}) raised {type(error).__name__}: "
            f"{said.rstrip('.')}."
        ) from error


def _plain(value: Any) -> Any:
    """Returns a NumPy number as Python's, which some environments ask for."""
    return value.item() if isinstance(value, np.generic) else value
