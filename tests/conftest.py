"""Fixtures of all tests: a process that runs tests is set up like a rank of a run."""

# First: it quietens TensorFlow, and must set the number of threads before NumPy is imported.
import epg_tf.command_line  # noqa: F401  # isort: skip
import pytest

from epg_tf.rendering.opengl import NoOpenGLError
from epg_tf.rendering.process import RenderProcess

pytest_plugins = ["workers"]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Gives TensorFlow one thread, as `Ranks` does, before its first operation."""
    # Not at the top: pytest-xdist's controller runs no test, so it needs no TensorFlow.
    import tensorflow as tf

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
