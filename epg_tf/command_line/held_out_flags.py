"""The flags of every command line that trains agents on held-out tasks.

They are defined once, because no two modules may define a flag. Defaults depend on the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

from epg_tf.command_line import config_flags, loss_flags

if TYPE_CHECKING:
    from epg_tf.evolved_loss.load import EvolvedLoss

NUM_TASKS = flags.DEFINE_integer("num_tasks", None, "Held-out tasks; see above for the default.")
NUM_UPDATES = flags.DEFINE_integer("num_updates", None, "K; by default the config's.")


def read_loss() -> EvolvedLoss:
    """Reads the loss that --loss names, with lifetimes of --num_updates if that is given.

    Raises:
        ValueError: If there is no such loss, or a value is bad; in one sentence.
    """
    import epg_tf.rivals.presets  # noqa: F401 so that their presets get a fitting sentence
    from epg_tf.checks import PositiveInt, require
    from epg_tf.evolved_loss.load import load

    bindings = list(config_flags.GIN_BINDING.value)
    if NUM_UPDATES.value is not None:
        require("--num_updates", NUM_UPDATES.value, PositiveInt)
        bindings.append(f"InnerLoop.num_updates = {NUM_UPDATES.value}")
    return load(loss_flags.LOSS.value or "", config_flags.GIN_FILE.value, bindings)


def num_tasks(default: int) -> int:
    """Returns the number of held-out tasks."""
    return default if NUM_TASKS.value is None else NUM_TASKS.value
