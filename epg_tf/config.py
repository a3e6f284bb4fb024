"""Configuration by gin: its classes, reading presets, and the complete config of a run.

Only this module imports gin. Everything else is configured by plain arguments.
"""

from __future__ import annotations

import inspect
import logging
import math
import pathlib
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin

# TF-Agents registers its classes with gin, which accepts no more after it has read a config.
# `import tf_agents` registers all classes that this project uses, except for this one.
import tf_agents.agents.sac.tanh_normal_projection_network  # noqa: F401

from epg_tf.files import CONFIG_FILE, SHIPPED, find_preset, read_text
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO, Reinforce
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.schedules import Constant, Linear, PiecewiseLinear
from epg_tf.tasks.bodies.random_body import RandomBody
from epg_tf.tasks.bodies.robots import (
    DirHalfCheetah,
    GoalAnt,
    RandomHalfCheetah,
    RandomSwimmer,
    RandomWalker,
)
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.environments.gymnasium_tasks import GymnasiumTasks
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.teaching.critic_teacher import CriticTeacher
from epg_tf.teaching.expert_teacher import ExpertTeacher
from epg_tf.text import printable


def _checked(record: type, name: str) -> Any:
    """Wraps a dataclass for gin: a missing or mistyped value raises a one-sentence error."""

    def make(**values):
        for parameter in signature.parameters.values():
            if parameter.default is parameter.empty and parameter.name not in values:
                raise ValueError(f"`{name}.{parameter.name}` is missing: a preset must bind it.")
        return record(**values)

    signature = inspect.signature(record)
    make.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    make.__name__, make.__doc__ = name, record.__doc__
    return make


def register(record: type, command: str = "") -> Any:
    """Lets presets and bindings set the values of a dataclass.

    Args:
        record: The dataclass.
        command: The command that reads it, whose name it then has in presets; empty for a class
            that has its own name there.

    Returns:
        The function that makes the record of the values that a config gives.
    """
    name = command or record.__name__
    SETTINGS[name] = record
    with gin.unlock_config():  # reading a config locks it
        return gin.external_configurable(
            _checked(record, name), name=name, module="epg_tf" if command else record.__module__
        )


SETTINGS: dict[str, type] = {}  # by their names in presets
_make_meta_training = register(MetaTraining, "meta_train")
for _record in (
    InnerLoop,
    EvolutionStrategy,
    LearnedLoss,
    PPO,
    Reinforce,
    CriticTeacher,
    ExpertTeacher,
    Constant,
    Linear,
    PiecewiseLinear,
    RandomReacher,
    RandomHopper,
    DirHopper,
    RandomBody,
    RandomWalker,
    RandomHalfCheetah,
    DirHalfCheetah,
    RandomSwimmer,
    GoalAnt,
    DiscreteActions,
    GymnasiumTasks,
):
    register(_record)


class _Infinity(float):
    """An infinite number that shows as gin can read it, so that a run's config keeps it."""

    def __repr__(self) -> str:
        return "1e999" if self > 0 else "-1e999"


def _infinite_bindings(config: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{scope}/{selector}.{name}": _readable(value)
        for (scope, selector), values in config.items()
        for name, value in values.items()
        if "inf" in repr(value)
    }


def _readable(value: Any) -> Any:
    if isinstance(value, float) and math.isinf(value):
        return _Infinity(value)
    if isinstance(value, dict):
        return {name: _readable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [*map(_readable, value)]
    return tuple(map(_readable, value)) if isinstance(value, tuple) else value


gin.config.register_finalize_hook(_infinite_bindings)

# Presets include one another by paths relative to this folder, wherever they are read from.
gin.add_config_file_search_path(str(SHIPPED))


def read(files: Sequence[str], bindings: Sequence[str]) -> MetaTraining:
    """Reads presets and bindings, the bindings last.

    Args:
        files: Paths of gin files.
        bindings: Single bindings, such as "InnerLoop.num_updates=8".

    Returns:
        The settings of the run.

    Raises:
        ValueError: If a file is missing, a name is unknown or a value is bad; in one sentence.
    """
    return read_with(_make_meta_training, files, bindings)


def read_with(make: Any, files: Sequence[str], bindings: Sequence[str]) -> Any:
    """Reads the settings that a function of `register` makes; otherwise the same as `read`."""
    gin.clear_config()
    for file in files:
        _parse(f"`--gin_file` (={file})", gin.parse_config_file, find_preset(file))
    for binding in bindings:
        _parse(f"`--gin_binding` (={binding})", gin.parse_config, binding)
    _parse("The config", gin.finalize)
    try:
        settings = make()
        _name_unused(files, bindings)
        return settings
    except ValueError as error:
        # gin appends a chain of calls on further lines.
        raise ValueError(str(error).partition("\n")[0]) from error
    except RecursionError as error:
        raise ValueError("The config is not understood: a binding refers to itself.") from error


def _name_unused(files: Sequence[str], bindings: Sequence[str]) -> None:
    """Logs a warning for each of the user's settings that the run does not use.

    Raises:
        ValueError: If a binding has the form of a macro that nothing uses.
    """
    lines = gin.operative_config_str().splitlines()
    used = {_short(line.partition(" =")[0]) for line in lines if " =" in line}
    texts = [read_text(pathlib.Path(file)) for file in files if _is_written_by_hand(file)]
    for name in re.findall(r"^([\w./]+) *=", "\n".join([*texts, *bindings]), re.MULTILINE):
        thing, dot, last = name.rpartition(".")
        if _short(name) in used:
            continue
        if dot:
            logging.warning("`%s` is set, and nothing uses `%s`.", name, thing)
        elif name in {binding.partition("=")[0].strip() for binding in bindings}:
            fits = sorted(one for one in used if one.endswith(f".{last}"))
            raise ValueError(
                f"`--gin_binding` (={name} = …) must name a setting with what it belongs to, such "
                f"as {fits[0] if fits else 'meta_train.seed'}; nothing uses a macro of that name."
            )


def _short(name: str) -> str:
    """Returns the name of a setting without the module of its class."""
    return ".".join(name.split(".")[-2:])


def _is_written_by_hand(file: str) -> bool:
    """Returns whether a file is the user's: neither a preset nor the config of a run."""
    path = pathlib.Path(file)
    return (
        path.is_file()
        and path.name != CONFIG_FILE
        and SHIPPED / "gin" not in path.resolve().parents
    )


def complete_config() -> str:
    """Returns all values in force, including defaults, as a gin file that reproduces the run."""
    return gin.operative_config_str()


def _parse(where: str, parse: Callable[..., Any], *arguments: str) -> None:
    """Lets gin parse; turns its error of many lines into one sentence."""
    logging.disable()  # gin logs what it also raises
    try:
        parse(*arguments)
    except Exception as error:  # any error concerns the user's text
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        message = lines[0] if lines else type(error).__name__
        if message.startswith("malformed node"):  # Python's message for non-literals
            message = next((line for line in lines if "Failed to parse" in line), lines[0])
        place = next((f" (in{line[2:]})" for line in lines if line.startswith("In file")), "")
        if isinstance(error, tokenize.TokenError):
            message = error.args[0]
        if isinstance(error, RecursionError):
            message = "a file includes itself"
        if isinstance(error, ModuleNotFoundError):
            message += (
                ", which must be importable: run where it lies, or name its folder in PYTHONPATH"
            )
        message = message.removesuffix(" in config string:").removesuffix(".")
        sentence = printable(f"{where} is not understood: {message}{place}.")
        raise ValueError(sentence) from error
    finally:
        logging.disable(logging.NOTSET)
