"""What all tests share: the process they run in is set up as a rank of a real run is."""

# First: it quietens TensorFlow, and must set the number of threads before NumPy is imported.
import epg_tf.command_line  # noqa: F401  # isort: skip
import pytest
import tensorflow as tf

from epg_tf.rendering.opengl import NoOpenGLError
from epg_tf.rendering.process import RenderProcess

# As `Ranks` does; TensorFlow forgives no change of them after its first operation.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)


@pytest.fixture(scope="session")
def render_process():
    """What draws for the tests; where no OpenGL is there, those that need it are skipped.

    Where one is there that a signal ends, they fail.
    """
    try:
        process = RenderProcess()
    except NoOpenGLError as error:
        pytest.skip(f"{error}")
    with process:
        yield process
