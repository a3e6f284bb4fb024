"""What all tests share: the process they run in is set up as a rank of a real run is."""

# First: it quietens TensorFlow, and must set the number of threads before NumPy is imported.
import epg_tf.command_line  # noqa: F401  # isort: skip
import tensorflow as tf

# As `Ranks` does; TensorFlow forgives no change of them after its first operation.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
