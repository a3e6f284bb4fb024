"""The flags of every command line that trains agents on held-out tasks.

Defined once, because two modules must not define flags of one name; defaults are the command's own.
"""

from absl import flags

NUM_TASKS = flags.DEFINE_integer("num_tasks", None, "Held-out tasks; see above for the default.")
NUM_UPDATES = flags.DEFINE_integer("num_updates", None, "K; by default the config's.")
