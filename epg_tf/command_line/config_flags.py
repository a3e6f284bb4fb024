"""The flags of every command line that reads a config and writes to a folder."""

from absl import flags

GIN_FILE = flags.DEFINE_multi_string("gin_file", [], "A preset; may be given several times.")
GIN_BINDING = flags.DEFINE_multi_string(
    "gin_binding", [], "A binding that overrides the presets; may be given several times."
)
ROOT_DIR = flags.DEFINE_string("root_dir", None, "The folder that everything is written to.")
