"""The flags of every command line that reads a config and writes to a folder."""

from absl import flags

from epg_tf import command_line
from epg_tf.files import find_preset

GIN_FILE = flags.DEFINE_multi_string("gin_file", [], "A preset; may be given several times.")
GIN_BINDING = flags.DEFINE_multi_string(
    "gin_binding", [], "A binding that overrides the presets; may be given several times."
)
ROOT_DIR = flags.DEFINE(
    command_line.PathParser(), "root_dir", None, "The folder that everything is written to."
)


def require() -> None:
    """Ends the process at once if --gin_file names no preset; ranks say it together, later."""
    with command_line.early_sentence():
        for file in GIN_FILE.value:
            find_preset(file)


def presets(example: str) -> tuple[list[str], list[str]]:
    """Returns the presets and bindings of a command that needs a preset.

    Raises:
        ValueError: If there is none, in one sentence with an example.
    """
    if not GIN_FILE.value:
        raise ValueError(f"`--gin_file` (=none) must name a preset, such as {example}.")
    return GIN_FILE.value, GIN_BINDING.value
