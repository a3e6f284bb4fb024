"""The flag of every command line that takes an evolved loss."""

from absl import flags

from epg_tf import command_line
from epg_tf.evolved_loss.folder import require_loss

LOSS = flags.DEFINE(
    command_line.PathParser(),
    "loss",
    None,
    "An evolved loss: the folder of a run (its latest epoch counts), one of its checkpoint files, "
    "a loss that it (RUN/export/best) or epg_tf.export wrote, or the name of one that ships, such "
    "as reacher (python -m epg_tf.losses lists them). The config is the loss's own; "
    "--gin_file and --gin_binding are read after it.",
)


def require() -> None:
    """Ends the process at once if --loss names nothing; ranks say it together, later."""
    with command_line.early_sentence():
        require_loss(LOSS.value or "")
